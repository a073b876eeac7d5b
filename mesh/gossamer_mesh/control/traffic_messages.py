"""Plans, refusals and faults -> the messages of TrafficService, and what is asked for -> what is written. Pure."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.duration_pb2 import Duration

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh import model
from gossamer_mesh.control.call_policies import call_match, duration
from gossamer_mesh.handles.check import Finding
from gossamer_mesh.policy import Planned, Refusal
from gossamer_mesh.policy.extras import STATUSES, WrittenFault
from gossamer_mesh.policy.words import summaries


def policy(planned: Planned, faults: Iterable[WrittenFault]) -> pb.Policy:
    """Show where the calls of a service go."""
    clusters = {cluster.name: cluster for cluster in planned.plan.clusters}
    services = {aim.cluster.name: aim.targets[0].service for aim in planned.shape.aims} if planned.shape else {}
    return pb.Policy(
        service=planned.plan.service,
        routes=[
            _route(each, summary, planned.plan.retry_budget if each.by_kit else None, clusters, services)
            for each, summary in zip(planned.plan.routes, summaries(planned.plan), strict=True)
        ],
        refusals=map(refusal, planned.refusals),
        faults=map(_written_fault, faults),
    )


def refusal(refused: Refusal) -> pb.Refusal:
    """Show why something is left out."""
    return pb.Refusal(service=refused.service, subject=refused.subject, reason=refused.reason)


def finding(found: Finding) -> pb.CheckFinding:
    """Show what would be refused."""
    return pb.CheckFinding(file=found.file, subject=found.subject, reason=found.reason)


def fault_value(request: pb.SetFaultRequest, method: str) -> dict[str, Any]:
    """Write what is asked for as an element of `gossamer/faults/SERVICE`, for a method as that spells it."""
    wanted = request.fault
    written: dict[str, Any] = {"from": request.caller, "method": method, "headers": dict(request.headers)}
    if wanted.HasField("delay"):
        written["delay"] = {"duration": _text(wanted.delay), "percent": wanted.delay_percent}
    if wanted.abort_status:
        written["abort"] = {"status": wanted.abort_status, "percent": wanted.abort_percent}
    return {key: value for key, value in written.items() if value}


def _route(
    route: model.Route,
    summary: str,
    budget: model.RetryBudget | None,
    clusters: dict[str, model.Cluster],
    services: dict[str, str],
) -> pb.Route:
    shown = pb.Route(
        match=call_match(route.match),
        destinations=[
            pb.Destination(
                service=services.get(share.cluster, share.cluster),
                subset=share.cluster.removeprefix(services.get(share.cluster, share.cluster)).removeprefix("/"),
                weight=share.weight,
                instances=len(clusters[share.cluster].endpoints),
            )
            for share in route.to
        ],
        hash_on=route.hash_on,
        fault=_fault(route.fault) if route.fault else None,
        source=", ".join(filter(None, (route.source, route.fault.source if route.fault else ""))),
        summary=summary,
    )
    if route.timeout is not None:
        shown.timeout.CopyFrom(duration(route.timeout))
    if route.retry:
        statuses = [status.upper().replace("-", "_") for status in route.retry.on]
        shown.retry.CopyFrom(pb.RetryPolicy(statuses=statuses, times=route.retry.times))
    if route.attempt_timeout is not None:
        shown.attempt_timeout.CopyFrom(duration(route.attempt_timeout))
    if budget:
        shown.retry_budget.CopyFrom(pb.RetryBudget(percent=budget.percent, min_per_second=budget.min_per_second))
    return shown


def _fault(fault: model.Fault) -> pb.Fault:
    shown = pb.Fault()
    if fault.delay:
        shown.delay.CopyFrom(duration(fault.delay.seconds))
        shown.delay_percent = fault.delay.percent
    if fault.abort:
        shown.abort_status = STATUSES[fault.abort.status]
        shown.abort_percent = fault.abort.percent
    return shown


def _written_fault(written: WrittenFault) -> pb.WrittenFault:
    return pb.WrittenFault(
        caller=written.caller,
        method=written.path.removeprefix("/"),
        headers={header.name: header.value for header in written.headers},
        fault=_fault(written.fault),
        source=written.fault.source,
    )


def _text(length: Duration) -> str:
    """Write a length of time as Consul does: `250ms`, `1.5s`."""
    nanoseconds = length.ToNanoseconds()
    unit, size = ("s", 10**9) if nanoseconds >= 10**9 else ("ms", 10**6)
    whole, rest = divmod(nanoseconds, size)
    decimals = f".{rest:0{len(str(size)) - 1}}".rstrip("0") if rest else ""
    return f"{whole}{decimals}{unit}"
