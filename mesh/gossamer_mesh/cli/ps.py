"""gossamer ps: every process with state, health, address, uptime, restarts and memory; and what is wrong."""

from typing import Annotated

import typer
from rich.text import Text

from gossamer_mesh.cli import mesh, show, stack


def ps(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Show the processes of the stack, and what is wrong with the mesh."""
    current = stack.current()
    control = current.addresses["control"]
    health, trouble = mesh.health(control), mesh.trouble(control)
    if as_json:
        processes = [show.process_dict(each, health) for each in current.processes]
        wrong = {"trouble": trouble.lines, "refusals": trouble.refusals, "nacks": trouble.nacks}
        show.as_json({"name": current.name, "processes": processes, **wrong})
        return
    show.console.print(show.processes(current, health))
    show.troubles(each for each in current.processes if show.state(each) in ("failed", "backoff", "skipped"))
    for line in trouble.lines:
        show.console.print(Text.assemble(("!", "yellow"), f" {line}"))
