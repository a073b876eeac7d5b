"""gossamer fault: delay or fail some calls of a service on purpose."""

from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import routes, show, traffic
from gossamer_mesh.cli.words import duration, pairs
from gossamer_mesh.errors import UsageProblem


def fault(
    service: Annotated[str, typer.Argument(help="The service that is called, such as catalog.")],
    abort: Annotated[str, typer.Option(metavar="STATUS", help="Fail calls with this status.")] = "",
    delay: Annotated[str, typer.Option(metavar="TIME", help="Hold calls up for so long, as 200ms.")] = "",
    percent: Annotated[float, typer.Option(help="How many of the calls.", min=0, max=100)] = 100.0,
    method: Annotated[str, typer.Option("--method", "-m", help="Only calls of this method.")] = "",
    caller: Annotated[str, typer.Option("--from", metavar="SERVICE", help="Only calls of this service.")] = "",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="Only calls with this, as k=v.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take all faults of the service back.")] = False,
    force: traffic.Force = False,
    control: traffic.Control = "",
    as_json: traffic.Json = False,
) -> None:
    """Delay or fail calls on purpose; with neither --abort nor --delay, show which are."""
    wanted = pb.Fault(abort_status=abort.upper().replace("-", "_"), abort_percent=percent if abort else 0)
    if delay:
        wanted.delay.CopyFrom(duration(delay))
        wanted.delay_percent = percent
    scope = {"caller": caller, "method": method, "headers": pairs(header or ())}
    if clear and (abort or delay):
        raise UsageProblem("expected --clear or a fault, found both")
    if not (abort or delay) and any(scope.values()):
        raise UsageProblem("expected --abort or --delay for the calls that are named, found neither")
    with traffic.connect(control) as api:
        answer = _ask(api, service, wanted if abort or delay else None, scope, clear=clear, force=force)
    if as_json:
        show.as_json(MessageToDict(answer, preserving_proto_field_name=True))
    else:
        routes.faults(answer.policy)


def _ask(
    api: Any,
    service: str,
    wanted: pb.Fault | None,
    scope: dict[str, Any],
    *,
    clear: bool,
    force: bool,
) -> Any:
    within = traffic.ANSWERS_WITHIN_S
    if clear:
        return api.ClearFaults(pb.ClearFaultsRequest(service=service, force=force), timeout=within)
    if wanted:
        return api.SetFault(pb.SetFaultRequest(service=service, fault=wanted, force=force, **scope), timeout=within)
    return api.GetPolicy(pb.GetPolicyRequest(service=service), timeout=within)
