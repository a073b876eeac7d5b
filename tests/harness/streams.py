"""Many xDS clients as one program, which notes when each was told of an instance (bench/streams)."""

import asyncio
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]

DEADLINE = 120.0
"""Seconds that anything may take."""


def build(folder: Path) -> Path:
    """Build the program."""
    program = folder / "streams"
    subprocess.run(["go", "build", "-o", str(program), "./bench/streams"], cwd=ROOT, check=True)
    return program


class Streams:
    """The clients of one control plane. `async with` starts them; `told` waits until they were told something."""

    def __init__(
        self, program: Path, address: str, *services: str, clients: int, consul: str = "", envoy: str = ""
    ) -> None:
        """Follow the services, which are watched in Consul at that URL as well.

        Args:
            program: what `build` gave.
            address: host:port of the control plane.
            services: their names.
            clients: how many.
            consul: empty: nothing is watched there.
            envoy: ask as the proxies of Consul do whose ids are this and a number.
        """
        options = {"address": address, "clients": clients, "name": ",".join(services), "consul": consul, "envoy": envoy}
        self._command = [str(program), *(f"-{name}={value}" for name, value in options.items() if value)]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def told(self, host: str, port: int) -> dict[str, int]:
        """Wait until every client was told of an instance with that port, or one after it (`Report` in ledger.go)."""
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{host}:{port}\n".encode())
        async with asyncio.timeout(DEADLINE):
            line = await self._process.stdout.readline()
        assert line, "the program of many clients ended; what it said stands above"
        report: dict[str, int] = json.loads(line)
        return report
