"""gossamer down: drain and end everything, also what a killed supervisor left over."""

from typing import Annotated

import typer

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show, stack
from gossamer_mesh.local import start
from gossamer_mesh.local.postgres import Postgres


def down(
    erase: Annotated[
        bool, typer.Option("--erase", help="Remove all that the stack keeps as well: data, traces, logs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """End the stack in order: running calls finish first. Data stays, unless it is to be erased."""
    folder = stack.folder()
    folder.require_ours()
    told: set[str] = set()

    def see(current: pb.Stack) -> None:
        for each in current.processes:
            if show.state(each) == "stopped" and each.name not in told:
                told.add(each.name)
                if not as_json:
                    show.console.print(f"  {each.name} has ended")

    ended = start.stop(folder, see)
    if erase:
        Postgres(state=folder.path / "postgres", port=0).erase()
        folder.erase()
    kept = f"everything in {folder.path} was removed" if erase else f"data stays in {folder.path}"
    if as_json:
        show.as_json({"ended": ended, "erased": erase})
    elif ended:
        show.console.print(f"the stack is down; {kept}")
    else:
        show.console.print(f"no stack runs for {stack.root()}; {kept if erase else 'nothing to do'}")
