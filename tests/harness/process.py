"""One program as a child of a test: started, watched for readiness, and ended in every case."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEADLINE = 30.0
"""Seconds that a program may take to start or to end."""


def processor_time(pid: int) -> float:
    """Give the seconds that all threads of a process have run: on Linux, by its own clock, to the microsecond."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python has not


class Child:
    """A running program. Its standard error goes to a file, so that a failing test can show it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log

    @classmethod
    async def start(
        cls, *command: str | Path, log: Path, environment: Mapping[str, str] | None = None, announces: bool = True
    ) -> "Child":
        """Start a program with its standard error appended to `log`, and its standard output to be read.

        The output of one that announces nothing is appended too: unread, it would fill its pipe and halt the program.
        """
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                env={**os.environ, **(environment or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if announces else errors,
                stderr=errors,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; none while it runs."""
        return self._process.returncode

    async def announcement(self) -> dict[str, Any]:
        """Wait for the line that says where it is bound."""
        assert self._process.stdout
        async with asyncio.timeout(DEADLINE):
            while line := await self._process.stdout.readline():
                if line.startswith(b"{") and (found := json.loads(line)).get("message") == "announce":
                    return dict(found)
        raise AssertionError(f"ended with {await self._process.wait()} before it announced itself:\n{self.errors()}")

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text(errors="replace")

    def lines(self) -> Sequence[dict[str, Any]]:
        """The JSON lines that it wrote to standard error."""
        return [json.loads(line) for line in self.errors().splitlines() if line.startswith("{")]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; kill what takes too long."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(DEADLINE):
                # what it still writes is read, or a full pipe would keep it from ending
                await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode
