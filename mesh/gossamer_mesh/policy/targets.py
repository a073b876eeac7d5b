"""What a cluster is made of: instances of a service, all or those of a subset; and what it is called."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gossamer_mesh.policy.refusals import Refusals


class Target(NamedTuple):
    """Instances of one service."""

    service: str
    filter: str = ""
    """Which of them, as Consul's filters say it; empty: all."""
    only_passing: bool = False
    """Whether one whose check warns is left out."""
    subset: str = ""
    """What the resolver calls them; empty: all of the service."""


def name_of(target: Mapping[str, Any]) -> str:
    """Name the cluster of a chain's target: `catalog`, or `catalog/v2` for a subset."""
    subset = target.get("ServiceSubset")
    return f"{target['Service']}/{subset}" if subset else str(target["Service"])


def target_of(written: Mapping[str, Any], chain: Mapping[str, Any], subject: str, refusals: Refusals) -> Target:
    """Turn a target of a chain into our own words, noting what no client here can reach."""
    if written.get("Datacenter") != chain.get("Datacenter") or written.get("Peer"):
        where = written.get("Peer") or written.get("Datacenter")
        refusals.say(subject, f"clients reach instances of their own datacenter only, found {where!r}")
    subset = written.get("Subset") or {}
    return Target(
        str(written["Service"]),
        subset.get("Filter") or "",
        bool(subset.get("OnlyPassing")),
        written.get("ServiceSubset") or "",
    )
