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
from .process import Child

WITHIN = 30.0
"""Seconds until it must answer."""


class ValkeyServer:
    """One Valkey that a test may start and kill as it likes."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(state=folder / "valkey", port=free_ports(1)[0])
        self.log = folder / "valkey.log"
        self._child: Child | None = None

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
        self._child = await Child.start(*self.valkey.command, log=self.log, environment=ENVIRONMENT, announces=False)
        async with asyncio.timeout(WITHIN):
            while not await self.valkey.ready():
                said = f"Valkey ended instead of answering:\n{self._child.errors()[-2000:]}"
                assert self._child.status is None, said
                await asyncio.sleep(0.02)

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it, and give its status."""
        assert self._child
        return await self._child.end(number)
