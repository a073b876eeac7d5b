"""The live display of a starting stack: a table that redraws itself in a terminal, a line a change elsewhere."""

import re
import sys
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show
from gossamer_mesh.declare import Workspace
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import client
from gossamer_mesh.local.folder import StateFolder
from gossamer_mesh.local.supervisor import NOT_REPLACED

OFTEN_S = 15.0  # outside a terminal, a long build says this often how far it is
DYING = re.compile(r"([3-9]|\d\d+) times in a row")  # a process that died so often does not come up by itself


def is_broken(process: pb.Process) -> bool:
    """Tell whether a process does not come up by itself."""
    word = show.state(process)
    dying = word == "backoff" and DYING.search(process.detail)
    return word == "failed" or bool(dying) or (word == "serving" and process.detail.startswith(NOT_REPLACED))


def _is_settled(process: pb.Process) -> bool:
    word = show.state(process)
    return word == "skipped" or (word == "serving" and not process.detail) or is_broken(process)


def _is_hopeless(stack: pb.Stack) -> bool:
    """Tell whether a part is broken: services wait for it in vain."""
    return any(not process.service and is_broken(process) for process in stack.processes)


class Progress:
    """Shows what a stack does until it has settled."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._began = time.monotonic()
        self._current = pb.Stack()
        self._live = Live(console=show.console, transient=True, refresh_per_second=5, get_renderable=self._table)
        self._is_live = show.console.is_terminal and not quiet
        self._told: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print one line that stays."""
        if not self._quiet:
            (self._live.console if self._is_live else show.console).print(text, markup=False)

    def watch(self, workspace: Workspace, tool: "Future[None]") -> pb.Stack:
        """Show the stack until every process serves, is left out or is broken, and the tool is there; return it then.

        Raises:
            Problem: the supervisor went away.
        """
        last = pb.Stack()
        with client.connect(StateFolder(workspace.settings.state)) as api:
            for response in api.WatchStack(pb.WatchStackRequest()):
                last = response.stack
                self._draw(last)
                if _is_hopeless(last) or (last.processes and all(map(_is_settled, last.processes))):
                    break
            else:
                log = workspace.settings.state / "logs" / "supervisor.log"
                raise Problem(f"the supervisor ended before the stack was up; see {log}")
        while not tool.done() and not _is_hopeless(last):
            self._draw(last)
            time.sleep(0.2)
        return last

    def _draw(self, current: pb.Stack) -> None:
        if self._is_live:
            self._current = current
        elif not self._quiet:
            for each in current.processes:
                self._tell(each)
            sys.stdout.flush()

    def _tell(self, process: pb.Process) -> None:
        word, now = show.state(process), time.monotonic()
        told, when = self._told.get(process.name, ("", 0.0))
        if word != told or (word == "building" and now - when > OFTEN_S):
            self._told[process.name] = (word, now)
            show.console.print(
                f"{now - self._began:6.1f}s  {process.name:<12} {word:<9} {process.detail}".rstrip(), markup=False
            )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for each in self._current.processes:
            table.add_row(each.name, show.styled(show.state(each)), Text(each.detail, style="dim", overflow="ellipsis"))
        table.add_row("", "", Text(f"{time.monotonic() - self._began:.0f} s", style="dim"))
        return table
