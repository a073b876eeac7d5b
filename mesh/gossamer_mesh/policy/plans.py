"""One service -> the plan that its clients follow. What no client could follow is left out, and said."""

import ipaddress
from typing import NamedTuple

from gossamer_mesh.model import Endpoint, Instance, Plan, Retry, Route, Service
from gossamer_mesh.policy.contracts import Contracts

RETRY = Retry(on=("unavailable",), times=3)
"""What methods get that may be called again."""


class Refusal(NamedTuple):
    """Why something is left out of a plan."""

    service: str
    subject: str
    """What is left out, for example `instance catalog-1`."""
    reason: str
    """What was expected, what was found and what to do."""


class Planned(NamedTuple):
    """A plan, and what is left out of it."""

    plan: Plan
    refusals: tuple[Refusal, ...] = ()


def plan(service: Service, contracts: Contracts) -> Planned:
    """Decide what the clients of a service are told."""
    endpoints: dict[tuple[str, int], Endpoint] = {}
    refusals = []
    for instance in service.instances:
        if not instance.callable:
            continue
        if reason := _unreachable(instance):
            refusals.append(Refusal(service.name, f"instance {instance.id}", reason))
        else:
            endpoint = Endpoint(host=instance.host, port=instance.port, zone=instance.zone)
            endpoints.setdefault((endpoint.host, endpoint.port), endpoint)
    ordered = tuple(endpoints[key] for key in sorted(endpoints))
    return Planned(Plan(service=service.name, routes=_routes(service, contracts), endpoints=ordered), tuple(refusals))


def _routes(service: Service, contracts: Contracts) -> tuple[Route, ...]:
    paths = sorted(path for contract in service.contracts for path in contracts.repeatable.get(contract, ()))
    return (*(Route(path=path, retry=RETRY) for path in paths), Route(path=None))


def _unreachable(instance: Instance) -> str:
    """Say why no client could call the instance; empty if they can."""
    try:
        address = ipaddress.ip_address(instance.host)
    except ValueError:
        return f"expected an IP address, found {instance.host!r}: register the instance with the address it listens on"
    if address.is_unspecified or address.is_multicast:
        return f"expected an address that can be called, found {instance.host}: set GOSSAMER_ADVERTISE"
    if not 0 < instance.port < 65536:  # noqa: PLR2004 - the ports there are
        return f"expected a port from 1 to 65535, found {instance.port}: register the port it listens on"
    return ""
