"""gossamer address: where a service can be called by programs that know nothing of the mesh."""

import sys
from typing import Annotated

import typer

from gossamer.mesh.v1 import mesh_pb2 as pb
from gossamer_mesh.cli import mesh, show, stack
from gossamer_mesh.errors import Problem

CALLED = (pb.INSTANCE_HEALTH_PASSING, pb.INSTANCE_HEALTH_WARNING)


def address(
    service: Annotated[str, typer.Argument(help="A service, such as catalog.")],
    instance: Annotated[str, typer.Option("--instance", "-i", help="That of this instance.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print those of all instances as JSON.")] = False,
) -> None:
    """Print the address of an instance that gets calls, as host:port."""
    found = mesh.service(stack.current().addresses["control"], service)
    if as_json:
        instances = [mesh.instance(found, instance)] if instance else found.instances
        show.as_json({"service": service, "instances": {each.id: each.address for each in instances}})
    elif instance:
        sys.stdout.write(mesh.instance(found, instance).address + "\n")
    else:
        sys.stdout.write(_called(found).address + "\n")


def _called(service: pb.Service) -> pb.Instance:
    for each in service.instances:
        if each.health in CALLED:
            return each
    raise Problem(f"no instance of {service.name} gets calls; see: gossamer ps")
