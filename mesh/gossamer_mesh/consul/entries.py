"""What the entries of `GET /v1/health/service/:name` mean. Pure.

An instance belongs to the mesh if it has a gRPC check, whatever that says now. It gets calls while no check of it or of
its node is critical and neither is in maintenance. https://developer.hashicorp.com/consul/api-docs/health
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gossamer_mesh.model import Health, Instance, Service

MAINTENANCE = ("_service_maintenance", "_node_maintenance")
"""How the ids of the checks begin that stand for maintenance."""

OWN = "consul"
"""Consul's own service: no part of the mesh."""


def names_of(found: Iterable[str]) -> frozenset[str]:
    """Find the names to ask for in what `GET /v1/catalog/services` gives."""
    return frozenset(name for name in found if name != OWN and askable(name))


def askable(name: str) -> bool:
    """Tell whether there can be a question about a name. Consul takes any, but `..` in a path leads elsewhere."""
    return not {".", "..", ""} & set(name.split("/"))


def service_of(name: str, entries: Iterable[Mapping[str, Any]]) -> Service | None:
    """Read the service that these entries show; none if no instance has a gRPC check."""
    instances = [_instance(entry) for entry in entries if _has_grpc_check(entry)]
    return Service.of(name, instances) if instances else None


def _has_grpc_check(entry: Mapping[str, Any]) -> bool:
    return any(check.get("Type") == "grpc" for check in entry["Checks"])


def _instance(entry: Mapping[str, Any]) -> Instance:
    service, meta = entry["Service"], entry["Service"].get("Meta") or {}
    health, output = _health(entry["Checks"])
    return Instance(
        id=service["ID"],
        host=service.get("Address") or entry["Node"]["Address"],
        port=service["Port"],
        health=health,
        health_output=output,
        version=meta.get("version", ""),
        zone=meta.get("zone", ""),
        language=meta.get("language", ""),
        contracts=tuple(sorted(filter(None, (part.strip() for part in meta.get("contracts", "").split(","))))),
        weight=_weight(service.get("Weights") or {}, health),
    )


def _weight(weights: Mapping[str, int], health: Health) -> int:
    return max(1, weights.get("Warning" if health is Health.WARNING else "Passing", 1))


def _health(checks: Sequence[Mapping[str, Any]]) -> tuple[Health, str]:
    """Find the worst of all checks, and what those that don't pass said."""
    failing = [check for check in checks if check["Status"] != "passing"]
    outputs = "; ".join((check.get("Output") or check["Name"]).strip() for check in failing)
    if any(check["CheckID"].startswith(MAINTENANCE) for check in checks):
        return Health.MAINTENANCE, outputs
    statuses = {check["Status"] for check in checks}
    if statuses <= {"passing"}:
        return Health.PASSING, ""
    return (Health.WARNING if statuses <= {"passing", "warning"} else Health.CRITICAL), outputs
