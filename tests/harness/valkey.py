"""A real Valkey for tests: on a free port, in a folder of its own, gone afterwards.

async with ValkeyServer(folder) as server:
    url = await server.valkey.ensure_user("behaviour")
    await server.kill()      # kill -9
    await server.start()     # again, on the same port, with the same data
"""

import asyncio
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from gossamer_mesh.local.valkey import ENVIRONMENT, Valkey

from .ports import free_ports

WITHIN = 30.0
"""Seconds until it must answer."""


class ValkeyServer:
    """One Valkey that a test may start and kill as it likes."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(state=folder / "valkey", port=free_ports(1)[0])
        self.log = folder / "valkey.log"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, on the data it had before, and wait until it answers."""
        await self.valkey.prepare()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.valkey.command, env=ENVIRONMENT, stdout=log, stderr=log
            )
        async with asyncio.timeout(WITHIN):
            while not await self.valkey.ready():
                said = f"Valkey ended instead of answering:\n{self.log.read_text()[-2000:]}"
                assert self._process.returncode is None, said
                await asyncio.sleep(0.02)

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it, and give its status."""
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()
