"""A moment that tasks wait for: something changed, look again."""

import asyncio
from collections.abc import Coroutine
from typing import Any


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

    def wait(self) -> Coroutine[Any, Any, object]:
        """Wait until it is sent next, counted from this call: a task made of it misses nothing before it first runs."""
        return self._event.wait()
