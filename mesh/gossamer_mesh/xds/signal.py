"""A moment that tasks wait for: something changed, look again."""

import asyncio


class Signal:
    """Wakes everyone who waits, when it is sent.

    One who checks a condition and then waits, without awaiting anything between, misses no change of it.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def send(self) -> None:
        """Wake everyone who waits now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Wait until it is sent next."""
        await self._event.wait()
