"""One process that is kept running: built, started, watched, started again with growing pauses, and ended in order.

Owns the process and its state, and nothing of what the process is: that comes as a Plan.
"""

import asyncio
import contextlib
import enum
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from gossamer_mesh.errors import Problem

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0  # a process that served this long starts over with the shortest pause
LAST_LINES = 12
CONFIGURATION_STATUS = 64

Say = Callable[[str], None]


class State(enum.Enum):
    """What a process is doing; the names are those of gossamer.local.v1.ProcessState."""

    WAITING = 1
    BUILDING = 2
    STARTING = 3
    SERVING = 4
    DRAINING = 5
    BACKOFF = 6
    FAILED = 7
    STOPPED = 8
    SKIPPED = 9


LOGGED = (State.SERVING, State.BACKOFF, State.FAILED, State.STOPPED)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a process is started, once everything it needs is there.

    Attributes:
        argv: the command.
        environment: all of it; nothing is inherited.
        address: where it will listen, as host:port.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    address: str = ""


async def _nothing(_: Say) -> None:
    return


async def _no_one() -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a process is and needs.

    Attributes:
        name: unique in the stack.
        service: the service it is an instance of; empty for a part.
        build: makes the program; told how to say what goes on.
        needs: must serve before this one starts for the first time.
        launch: gives the command; called before each start.
        ready: returns when the process with that address serves.
        died: called after a death that nobody asked for.
        stop_signal: asks the process to end in order.
        stop_within: seconds it may take for that before it is killed.
        ready_within: seconds until it must serve after a start.
    """

    name: str
    launch: Callable[[], Awaitable[Launch]]
    ready: Callable[[str], Coroutine[Any, Any, None]]
    service: str = ""
    language: str = ""
    build: Callable[[Say], Awaitable[None]] = _nothing
    needs: Sequence["Process"] = ()
    died: Callable[[], Awaitable[None]] = _no_one
    stop_signal: int = signal.SIGTERM
    stop_within: float = 30.0
    ready_within: float = 60.0


class Process:
    """Keeps one process running until it is told to stop.

    Args:
        plan: what to run.
        log: the file that its output is appended to.
        changed: called after each change that a person would see.
    """

    def __init__(self, plan: Plan, log: Path, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.log = log
        self.state = State.WAITING
        self.detail = ""
        self.address = ""
        self.started = 0.0
        self.served = 0.0  # since when the running child serves; 0: it does not yet
        self.restarts = 0
        self.deaths = 0  # in a row
        self.last_lines: list[str] = []
        self.serving = asyncio.Event()
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._child: asyncio.subprocess.Process | None = None
        self._prepared = False
        self._asked = False  # the running child was told to end
        self._stopping = asyncio.Event()
        self._again = asyncio.Event()  # cuts short a pause or a failure
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The number of the running process; 0 when there is none."""
        return self._child.pid if self._child and self._child.returncode is None else 0

    def start(self) -> None:
        """Begin to keep it running, and try again at once if it failed or pauses; also if it is about to fail."""
        if self.state in (State.FAILED, State.BACKOFF, State.STARTING):
            self.deaths = 0
            self._prepared = False
            self._again.set()
        if self.state in (State.FAILED, State.BACKOFF):
            self._set(State.WAITING)
        if self._task is None or self._task.done():
            self._stopping.clear()
            self._task = asyncio.create_task(self._keep(), name=self.plan.name)

    def skip(self, why: str) -> None:
        """Leave it out for good."""
        self._set(State.SKIPPED, why)

    async def stop(self) -> None:
        """End it in order and return when it has ended; do nothing when it does not run."""
        if self._task is None or self._task.done():
            return
        self._stopping.set()
        self._again.set()
        if not self.pid:
            self._task.cancel()
        await self._end_child()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._set(State.STOPPED)

    async def restart(self) -> None:
        """Build it, end it in order, start it again, and return when it serves. What can't be built goes on as it was.

        Raises:
            Problem: it can't be built, or did not come back.
        """
        await self.plan.build(lambda _: None)
        if self._stopping.is_set():
            raise Problem(f"{self.plan.name} was ended meanwhile")
        self.serving.clear()
        self.start()
        await self._end_child()
        await self.until_serving()

    async def until_serving(self) -> None:
        """Return when it serves.

        Raises:
            Problem: it failed, or did not serve in time.
        """
        serving = asyncio.create_task(self.serving.wait())
        try:
            async with asyncio.timeout(self.plan.ready_within + self.plan.stop_within):
                while not serving.done():
                    if self.state is State.FAILED:
                        raise Problem(f"{self.plan.name} does not run: {self.detail}")
                    await asyncio.wait([serving], timeout=0.1)
        except TimeoutError:
            raise Problem(f"{self.plan.name} did not serve in time; see: gossamer logs {self.plan.name}") from None
        finally:
            serving.cancel()

    def note(self, detail: str) -> None:
        """Say more about the state it is in. The first line stands with the state, further ones as its last lines."""
        first, *self.last_lines = detail.splitlines() or [""]
        self._set(self.state, first)

    def kill(self, number: int) -> int:
        """Send a signal to the running process and return its number.

        Raises:
            Problem: it does not run.
        """
        if not (pid := self.pid):
            raise Problem(f"{self.plan.name} does not run now")
        try:
            os.kill(pid, number)
        except OSError as error:
            raise Problem(f"{self.plan.name} (process {pid}) can't be sent signal {number}: {error}") from error
        return pid

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            self._again.clear()
            try:
                if not self._prepared:  # what ran and died is started as it was, whatever its sources are by now
                    await self._prepare()
                    self._prepared = True
            except Exception as error:  # noqa: BLE001 - whatever it is, a person must see it
                await self._fail(str(error) if isinstance(error, Problem) else repr(error))
                continue
            try:
                status = await self._once()
                why = _ended(status)
            except Exception as error:  # noqa: BLE001 - as above; what failed now may work soon
                status, why = 0, str(error) or repr(error)
            if self._stopping.is_set():
                return
            if self._asked or self._again.is_set():
                continue
            self.last_lines = tail(self.log, LAST_LINES)
            self.restarts += 1
            with contextlib.suppress(Exception):
                await self.plan.died()
            if status == CONFIGURATION_STATUS:
                await self._fail("\n".join(["its configuration is refused", *self.last_lines]))
                continue
            steady = self.served and time.time() - self.served > STEADY_S
            self.deaths = 1 if steady else self.deaths + 1
            pause = min(FIRST_PAUSE_S * 2 ** (self.deaths - 1), LONGEST_PAUSE_S)
            again = f", {self.deaths} times in a row; next try in {pause:.1f} s" if self.deaths > 1 else ""
            self._set(State.BACKOFF, f"{why}{again}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), pause)

    async def _fail(self, why: str) -> None:
        """Show why it can't run, and wait until someone asks to try again."""
        first, *self.last_lines = why.splitlines() or [""]
        self._set(State.FAILED, first)
        await self._again.wait()

    def _say(self, text: str) -> None:
        """Show how far a build is; may be called from any thread."""
        if threading.get_ident() == self._thread:
            self._set(State.BUILDING, text)
        else:
            self._loop.call_soon_threadsafe(self._set, State.BUILDING, text)

    async def _prepare(self) -> None:
        """Build, and wait for what must serve before."""
        self._set(State.WAITING)
        await self.plan.build(self._say)
        for need in self.plan.needs:
            if not need.serving.is_set():
                self._set(State.WAITING, f"for {need.plan.name}")
                await need.serving.wait()
        self._set(State.STARTING)

    async def _once(self) -> int:
        """Start it, and watch until the end; return the exit status."""
        self._asked = False
        self.served = 0.0
        launch = await self.plan.launch()
        self.address = launch.address
        with self.log.open("ab") as log:
            self._child = await _spawn(launch, log)
        self.started = time.time()
        self._set(State.STARTING)
        ended = asyncio.create_task(self._child.wait())
        ready = asyncio.create_task(self.plan.ready(self.address))
        try:
            await asyncio.wait([ended, ready], timeout=self.plan.ready_within, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not ended.done():
                ready.result()
                if not self._asked:
                    self.served = time.time()
                    self._prepared = True
                    self._again.clear()
                    self._set(State.SERVING)
            elif not ended.done():
                raise Problem(f"did not serve within {self.plan.ready_within:.0f} s")
            return await ended
        finally:
            self.serving.clear()
            ready.cancel()
            _kill_all(self._child.pid)
            await asyncio.wait([ended])

    async def _end_child(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        self._asked = True
        self.serving.clear()
        self._set(State.DRAINING)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(self.plan.stop_signal)
        try:
            await asyncio.wait_for(child.wait(), self.plan.stop_within)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _set(self, state: State, detail: str = "") -> None:
        if (state, detail) == (self.state, self.detail):
            return
        self.state, self.detail = state, detail
        if state in LOGGED:
            entry = {"level": "info" if state is State.SERVING else "error", "service": "supervisor"}
            told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **entry}
            message = f"{self.plan.name} {state.name.lower()}" + (f": {detail}" if detail else "")
            sys.stderr.write(json.dumps({**told, "instance": "supervisor", "message": message}) + "\n")
        if state is State.SERVING:
            self.serving.set()
        self._changed()


async def _spawn(launch: Launch, log: IO[bytes]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *launch.argv,
            env=dict(launch.environment),
            cwd=launch.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise Problem(f"{launch.argv[0]} can't be started: {error}") from error


def _kill_all(leader: int) -> None:
    """Kill what is left of a process's session, children that a wrapper started included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _ended(status: int) -> str:
    """Say how a process ended."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-status).name}"
    return f"exited with {status}"


def tail(path: Path, count: int) -> list[str]:
    """Give the last lines of a file; none when it can't be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64 * 1024))
            return [line.decode(errors="replace").rstrip() for line in deque(file, count)]
    except OSError:
        return []
