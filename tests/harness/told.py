"""A listener that keeps what a source tells it, and a Consul source that is being followed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from gossamer_mesh.consul import ConsulSource
from gossamer_mesh.model import Mesh


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.readings: asyncio.Queue[tuple[Mesh, bool]] = asyncio.Queue()
        self.failures: asyncio.Queue[str] = asyncio.Queue()
        self.heard_times = self.read_times = 0

    def heard(self) -> None:
        """Count it."""
        self.heard_times += 1

    def read(self, mesh: Mesh, *, restarted: bool = False) -> None:
        """Keep it."""
        self.read_times += 1
        self.readings.put_nowait((mesh, restarted))

    def failed(self, reason: str) -> None:
        """Keep it."""
        self.failures.put_nowait(reason)

    async def until(self, condition: Callable[[Mesh], object], within: float = 15.0) -> tuple[Mesh, bool]:
        """Wait for the first reading that is as it should be."""
        async with asyncio.timeout(within):
            while not condition((reading := await self.readings.get())[0]):
                pass
        return reading


@contextlib.asynccontextmanager
async def watching(url: str) -> AsyncIterator[Told]:
    """Follow the agent at `url`."""
    told = Told()
    task = asyncio.create_task(ConsulSource(url).watch(told))
    try:
        yield told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
