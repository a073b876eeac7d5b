"""How calls to a set of instances are spread and limited: resolvers' load balancers, and callers' service-defaults.

https://developer.hashicorp.com/consul/docs/reference/config-entry/service-resolver (LoadBalancer)
https://developer.hashicorp.com/consul/docs/reference/config-entry/service-defaults (UpstreamConfig)
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gossamer_mesh.model import Balance, Cluster, Outlier
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.retries import seconds

POLICIES = {
    "": Balance.ROUND_ROBIN,
    "round_robin": Balance.ROUND_ROBIN,
    "random": Balance.ROUND_ROBIN,  # the same shares, more evenly
    "least_request": Balance.LEAST_REQUEST,
    "ring_hash": Balance.RING_HASH,
}
LARGEST_RING = 4096
"""What gRPC's core caps a ring at."""

FAILING = 50
"""Percent of an instance's calls. gRPC counts no failures in a row, so a share of failed calls stands for it."""


def balanced(cluster: Cluster, balancer: Mapping[str, Any], subject: str, refusals: Refusals) -> Cluster:
    """Give a cluster the load balancing that its resolver asks for."""
    policy = balancer.get("Policy") or ""
    if policy not in POLICIES:
        refusals.say(
            f"{subject}.Policy",
            f"gRPC clients don't have {policy!r}: expected one of {', '.join(filter(None, POLICIES))}",
        )
        return cluster
    cluster = replace(cluster, balance=POLICIES[policy])
    if choices := (balancer.get("LeastRequestConfig") or {}).get("ChoiceCount"):
        cluster = replace(cluster, choices=max(2, choices))
    ring = balancer.get("RingHashConfig") or {}
    least = min(ring.get("MinimumRingSize") or 1024, LARGEST_RING)
    most = min(ring.get("MaximumRingSize") or LARGEST_RING, LARGEST_RING)
    if least > most:
        refusals.say(f"{subject}.RingHashConfig", f"the ring's least size {least} is more than its most, {most}")
        return cluster
    return replace(cluster, ring_size=(least, most))


def hashed_on(balancer: Mapping[str, Any], subject: str, refusals: Refusals) -> tuple[str, ...]:
    """Name the headers that decide which instance of a ring is called."""
    if balancer.get("Policy") != "ring_hash":
        return ()
    policies = balancer.get("HashPolicies") or ()
    headers = []
    for index, policy in enumerate(policies):
        if policy.get("Field") == "header" and policy.get("FieldValue"):
            headers.append(str(policy["FieldValue"]).lower())
        else:
            found = policy.get("Field") or "SourceIP"
            refusals.say(
                f"{subject}.HashPolicies[{index}]",
                f"gRPC clients hash headers only, found {found!r}: write Field = header and the name in FieldValue",
            )
    if not policies:
        refusals.say(f"{subject}.HashPolicies", "a ring without it spreads by chance: name a header")
    return tuple(headers)


def limited(cluster: Cluster, callee: str, written: Mapping[str, Any], subject: str, refusals: Refusals) -> Cluster:
    """Give a cluster what its caller's service-defaults say of the services it calls."""
    config = written.get("UpstreamConfig") or {}
    overrides = config.get("Overrides") or ()
    found = next(((i, each) for i, each in enumerate(overrides) if each.get("Name") == callee), None)
    for place, part in (
        (f"{subject} UpstreamConfig.Defaults", config.get("Defaults") or {}),
        (f"{subject} UpstreamConfig.Overrides[{found[0]}]" if found else "", found[1] if found else {}),
    ):
        cluster = _with(cluster, part, place, refusals)
    return cluster


def _with(cluster: Cluster, part: Mapping[str, Any], place: str, refusals: Refusals) -> Cluster:
    limits, passive = part.get("Limits") or {}, part.get("PassiveHealthCheck") or {}
    for name in ("MaxConnections", "MaxPendingRequests"):
        if limits.get(name):
            refusals.say(
                f"{place}.Limits.{name}", "gRPC clients have one connection an instance: write MaxConcurrentRequests"
            )
    if (most := limits.get("MaxConcurrentRequests")) is not None:
        cluster = replace(cluster, max_requests=most)
    if milliseconds := part.get("ConnectTimeoutMs"):
        cluster = replace(cluster, connect_timeout=milliseconds / 1000)
    return replace(cluster, outlier=_outlier(passive)) if passive else cluster


def _outlier(passive: Mapping[str, Any]) -> Outlier:
    """Stand in for so many failures in a row: at least so many calls in an interval, half of them failed."""
    enforcing = passive.get("EnforcingConsecutive5xx")
    ejected = passive.get("MaxEjectionPercent")
    return Outlier(
        interval=seconds(passive.get("Interval")) or 10.0,
        base_ejection=seconds(passive.get("BaseEjectionTime")) or 30.0,
        max_ejection_percent=min(100, 10 if ejected is None else ejected),
        threshold=FAILING,
        request_volume=passive.get("MaxFailures") or 5,
        enforcing=min(100, 100 if enforcing is None else enforcing),
    )
