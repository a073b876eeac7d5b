"""gossamer policy: where calls go, what is done to them, and which entry says so."""

from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import mesh, routes, show, traffic
from gossamer_mesh.errors import UsageProblem


def policy(
    service: Annotated[str, typer.Argument(help="A service; without one, all that have a policy.")] = "",
    caller: Annotated[str, typer.Option("--from", metavar="SERVICE", help="As this service calls it.")] = "",
    zone: Annotated[str, typer.Option(help="As it is called from this zone.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what split and fault wrote.")] = False,
    force: traffic.Force = False,
    control: traffic.Control = "",
    as_json: traffic.Json = False,
) -> None:
    """Show the routes of a service in the order in which they are tried, and what is left out."""
    if clear and not service:
        raise UsageProblem("expected the service whose split and faults are to be taken back, found none")
    with traffic.connect(control) as api:
        if clear:
            api.ClearFaults(pb.ClearFaultsRequest(service=service, force=force), timeout=traffic.ANSWERS_WITHIN_S)
            api.ClearSplit(pb.ClearSplitRequest(service=service, force=force), timeout=traffic.ANSWERS_WITHIN_S)
        if service:
            request = pb.GetPolicyRequest(service=service, caller=caller, zone=zone)
            policies = [api.GetPolicy(request, timeout=traffic.ANSWERS_WITHIN_S).policy]
            refusals = list(policies[0].refusals)
        else:
            asked = pb.ListPoliciesRequest(caller=caller, zone=zone)
            policies = [each for page in mesh.pages(api.ListPolicies, asked) for each in page.policies]
            listed = mesh.pages(api.ListRefusals, pb.ListRefusalsRequest())
            refusals = [each for page in listed for each in page.refusals]
    if as_json:
        show.as_json({"policies": [_plain(each) for each in policies], "refusals": [_plain(each) for each in refusals]})
        return
    for each in policies:
        routes.policy(each)
        show.console.print("")
    routes.refusals(refusals)
    if not policies:
        show.console.print("nobody wrote anything about where calls go")


def _plain(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)
