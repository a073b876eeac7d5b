"""gossamer kill: end one process without a drain, to see the mesh go on."""

import signal
from typing import Annotated

import typer

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show, stack
from gossamer_mesh.errors import UsageProblem


def kill(
    name: Annotated[str, typer.Argument(help="A process, such as catalog-1 or consul.")],
    number: Annotated[str, typer.Option("--signal", "-s", help="A signal's name or number.")] = "KILL",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Send a signal to one process; the supervisor starts it again."""
    chosen = _signal(number)
    with stack.supervisor() as api:
        pid = api.KillProcess(pb.KillProcessRequest(name=name, signal=chosen), timeout=10).pid
    if as_json:
        show.as_json({"name": name, "pid": pid, "signal": chosen.value})
    else:
        show.console.print(f"sent {chosen.name} to {name} (process {pid}); see: gossamer ps")


def _signal(text: str) -> signal.Signals:
    """Read a signal as a person writes it: 9, KILL, kill or SIGKILL."""
    try:
        name = f"SIG{text.upper().removeprefix('SIG')}"
        return signal.Signals(int(text)) if text.isdecimal() else signal.Signals[name]
    except (KeyError, ValueError, OverflowError):
        raise UsageProblem(f"no signal {text!r}; write a name such as KILL, TERM or STOP, or a number") from None
