"""gossamer restart: one instance after the other, each with a drain, so that no call fails."""

from typing import Annotated

import typer

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show, stack

LONGEST_S = 600.0


def restart(
    names: Annotated[list[str] | None, typer.Argument(help="Services or processes; every service when none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the names of what was restarted as JSON.")] = False,
) -> None:
    """Restart services or processes in order, draining each first."""
    with stack.supervisor() as api:
        restarted = list(
            api.RestartProcesses(pb.RestartProcessesRequest(names=names or []), timeout=LONGEST_S).restarted
        )
    if as_json:
        show.as_json({"restarted": restarted})
    else:
        show.console.print(f"restarted {', '.join(restarted)}" if restarted else "nothing runs that could be restarted")
