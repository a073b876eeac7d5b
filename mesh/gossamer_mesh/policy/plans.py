"""A shape and the instances there are -> the plan that clients follow; what none could follow is left out, and said."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from gossamer_mesh.model import Audience, Cluster, Endpoint, Entries, Health, Instance, Mesh, Plan, Service
from gossamer_mesh.model.address import packed
from gossamer_mesh.policy.contracts import Contracts
from gossamer_mesh.policy.refusals import Refusal, Refusals
from gossamer_mesh.policy.shapes import Aim, Methods, Shape, shape
from gossamer_mesh.policy.targets import Target

ANYONE = Audience()


class Planned(NamedTuple):
    """A plan, what is left out of it, and the shape that it was made in."""

    plan: Plan
    refusals: tuple[Refusal, ...] = ()
    shape: Shape | None = None
    """None of its own was refused: what to go on with if the next one is."""


def plan(
    service: str, mesh: Mesh, contracts: Contracts, audience: Audience = ANYONE, last_good: Shape | None = None
) -> Planned:
    """Decide what the clients of a service are told.

    What people wrote is followed as a whole or not at all: when any of it is refused, the last good shape stays, or the
    one that holds when nothing is written. Instances come and go in either.
    """

    def methods(services: Iterable[str]) -> Methods:
        served = {each for name in services for each in (mesh.services.get(name) or Service(name=name)).contracts}
        repeatable, unary = (
            frozenset(path for contract in served for path in paths.get(contract, ()))
            for paths in (contracts.repeatable, contracts.unary)
        )
        return Methods(repeatable, unary)

    refusals = Refusals(service)
    try:
        chosen = shape(service, methods, mesh.entries, audience, refusals)
        _check_filters(chosen, mesh, refusals)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = f"expected what Consul 1.22 answers to /v1/discovery-chain/{service}, found something else: {error!r}"
        refusals.say(f"discovery chain of {service}", reason)
    broken = mesh.entries.broken_chains.get(service)
    if refusals.found or (broken and service not in mesh.entries.chains):
        chosen = last_good or shape(service, methods, Entries(), audience, Refusals(service))
    if broken:
        refusals.say(f"discovery chain of {service}", f"Consul can't compile it: {broken}")
    filled = tuple(_fill(aim, mesh, audience, refusals) for aim in chosen.aims)
    planned = Plan(service=service, routes=chosen.routes, retry_budget=chosen.retry_budget, clusters=filled)
    return Planned(planned, tuple(refusals.found), chosen)


def _check_filters(chosen: Shape, mesh: Mesh, refusals: Refusals) -> None:
    for target in (target for aim in chosen.aims for target in aim.targets):
        if reason := mesh.entries.broken_filters.get((target.service, target.filter)):
            refusals.say(
                f"service-resolver/{target.service} Subsets[{target.subset}].Filter",
                f"Consul does not take {target.filter!r}: {reason}; write one that its health API takes, such as "
                "Service.Meta.version == v1",
            )


def _fill(aim: Aim, mesh: Mesh, audience: Audience, refusals: Refusals) -> Cluster:
    """Give a cluster its endpoints, each address once, on the first level it belongs to."""
    seen: set[str] = set()
    levels: list[tuple[Endpoint, ...]] = []
    for target in aim.targets:
        endpoints = tuple(each for each in _endpoints(target, mesh, refusals) if each.address not in seen)
        seen.update(each.address for each in endpoints)
        levels.extend(_by_zone(endpoints, audience.zone) if aim.zones else [endpoints])
    return replace(aim.cluster, levels=tuple(level for level in levels if level))


def _by_zone(endpoints: tuple[Endpoint, ...], zone: str) -> Iterator[tuple[Endpoint, ...]]:
    """Put the caller's own zone first; one who says no zone has no preference."""
    if not zone:
        yield endpoints
        return
    yield tuple(each for each in endpoints if each.zone == zone)
    yield tuple(each for each in endpoints if each.zone != zone)


def _endpoints(target: Target, mesh: Mesh, refusals: Refusals) -> tuple[Endpoint, ...]:
    """Find whom to call of a target, in the order of their addresses."""
    service = mesh.services.get(target.service)
    endpoints: dict[tuple[str, int], Endpoint] = {}
    for instance in _selected(service.instances if service else (), target, mesh):
        if reason := _unreachable(instance):
            refusals.say(f"instance {instance.id}", reason)
        else:
            endpoint = Endpoint(host=instance.host, port=instance.port, zone=instance.zone, weight=instance.weight)
            endpoints.setdefault((instance.host, instance.port), endpoint)
    return tuple(endpoints[key] for key in sorted(endpoints))


def _selected(instances: Iterable[Instance], target: Target, mesh: Mesh) -> Iterator[Instance]:
    chosen = mesh.entries.selected.get((target.service, target.filter), frozenset()) if target.filter else None
    for instance in instances:
        wanted = instance.health is Health.PASSING if target.only_passing else instance.callable
        if wanted and (chosen is None or instance.id in chosen):
            yield instance


def _unreachable(instance: Instance) -> str:
    """Say why no client could call the instance; empty if they can."""
    address = packed(instance.host)
    if address is None:
        return f"expected an IP address, found {instance.host!r}: register the instance with the address it listens on"
    if not any(address) or _multicast(address):
        return f"expected an address that can be called, found {instance.host}: set GOSSAMER_ADVERTISE"
    if not 0 < instance.port < 65536:  # noqa: PLR2004 - the ports there are
        return f"expected a port from 1 to 65535, found {instance.port}: register the port it listens on"
    return ""


def _multicast(address: bytes) -> bool:
    return address[0] == 0xFF if len(address) > 4 else 224 <= address[0] < 240  # noqa: PLR2004 - RFC 4291 and 5771
