"""gossamer scale: change how many instances of a service run."""

from typing import Annotated

import typer

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show, stack


def scale(
    service: Annotated[str, typer.Argument(help="A service, such as catalog.")],
    replicas: Annotated[int, typer.Argument(help="How many instances.", min=0, max=50)],
    version: Annotated[str, typer.Option(help="What those that are started now say they are of.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the instances as JSON.")] = False,
) -> None:
    """Run so many instances of a service until the stack ends; those that are too many drain.

    Instances that are started run what the sources are now, those that run already go on as they are.
    """
    with stack.supervisor() as api:
        request = pb.ScaleServiceRequest(service=service, replicas=replicas, version=version)
        instances = list(api.ScaleService(request, timeout=120).instances)
    if as_json:
        show.as_json({"service": service, "instances": instances})
    else:
        show.console.print(f"{service}: {', '.join(instances) or 'no instance'}; see: gossamer ps")
