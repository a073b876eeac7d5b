"""gossamer split: spread the calls of a service over versions of it."""

from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import routes, show, traffic
from gossamer_mesh.errors import UsageProblem


def split(
    service: Annotated[str, typer.Argument(help="A service, such as catalog.")],
    shares: Annotated[
        list[str] | None, typer.Argument(metavar="VERSION=PERCENT...", help="Shares; together 100.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take the split back.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also change what others wrote, and name a version that nobody runs.")
    ] = False,
    control: traffic.Control = "",
    as_json: traffic.Json = False,
) -> None:
    """Spread calls over versions, or subsets of a resolver; without shares, show how they are spread."""
    if clear and shares:
        raise UsageProblem("expected shares or --clear, found both")
    with traffic.connect(control) as api:
        answer = _ask(api, service, [_share(each) for each in shares or ()], clear=clear, force=force)
    if as_json:
        show.as_json(MessageToDict(answer, preserving_proto_field_name=True))
        return
    if shares or clear:
        show.console.print(f"wrote {', '.join(answer.written)}" if answer.written else "there was no split")
    routes.policy(answer.policy)


def _ask(api: Any, service: str, shares: list[pb.SplitShare], *, clear: bool, force: bool) -> Any:
    within = traffic.ANSWERS_WITHIN_S
    if clear:
        return api.ClearSplit(pb.ClearSplitRequest(service=service, force=force), timeout=within)
    if shares:
        return api.SetSplit(pb.SetSplitRequest(service=service, shares=shares, force=force), timeout=within)
    return api.GetPolicy(pb.GetPolicyRequest(service=service), timeout=within)


def _share(text: str) -> pb.SplitShare:
    version, equals, weight = text.rpartition("=")
    try:
        return pb.SplitShare(version=version, weight=float(weight if equals and version else "none"))
    except ValueError:
        raise UsageProblem(f"expected a version and its percentage, as in v2=10, found {text!r}") from None
