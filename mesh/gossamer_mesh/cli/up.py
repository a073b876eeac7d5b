"""gossamer up: build what is stale, start what is missing, wait until all serves, and say how to call it."""

import time
from typing import Annotated

import typer

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import invite, mesh, show, stack
from gossamer_mesh.cli.progress import Progress, is_broken
from gossamer_mesh.declare import Workspace, load
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import start
from gossamer_mesh.local.folder import StateFolder


def up(as_json: Annotated[bool, typer.Option("--json", help="Print the stack as JSON when it is up.")] = False) -> None:
    """Start the stack, or bring a running one up to date with what is declared and built."""
    began = time.monotonic()
    workspace = load(stack.root())
    with Progress(quiet=as_json) as progress:
        fresh = start.ensure_supervisor(workspace, progress.say)
        try:
            tool = invite.bring_grpcurl(workspace.root)
            for note in start.apply(workspace):
                progress.say(f"note: {note}")
            settled = progress.watch(workspace, tool)
        except BaseException:
            if fresh:
                progress.say("stopping what was started")
                start.stop(StateFolder(workspace.settings.state))
            raise
        for left in settled.entries_left:
            progress.say(f"note: {left}")
    broken = [each for each in settled.processes if is_broken(each)]
    if fresh and any(not each.service for each in broken):
        show.troubles(broken)
        start.stop(StateFolder(workspace.settings.state))
        raise Problem(f"the stack can't run without {_names(broken)}; it was stopped again")
    _report(workspace, broken, as_json=as_json, took=time.monotonic() - began)
    if broken:
        raise Problem(f"{_names(broken)} can't be brought up; the rest runs. Mend it and run gossamer up again")
    if settled.entries_refused:
        lines = "\n".join(settled.entries_refused)
        raise Problem(f"all runs, but Consul does not take these entries; mend them and run gossamer up again\n{lines}")


def _report(workspace: Workspace, broken: list[pb.Process], *, as_json: bool, took: float) -> None:
    current = stack.current()
    health = mesh.health(current.addresses["control"])
    if as_json:
        show.as_json([show.process_dict(each, health) for each in current.processes])
        return
    show.console.print(show.processes(current, health))
    show.troubles([*(each for each in current.processes if show.state(each) == "skipped"), *broken])
    if not broken:
        show.console.print(f"\n[bold green]{current.name} is up[/] after {took:.1f} s. Try:\n", markup=True)
        for line in invite.lines(workspace, current):
            show.console.print(f"  {line}", soft_wrap=True)
        show.console.print("")


def _names(processes: list[pb.Process]) -> str:
    return ", ".join(each.name for each in processes)
