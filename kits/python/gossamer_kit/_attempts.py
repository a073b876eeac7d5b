"""A unary call that may take several attempts, as its rule says. To its caller it is a call of grpc.aio like any other.

gRPC's own retries know neither a limit for one attempt nor a budget. Pauses and pushback are as theirs (gRFC A6, A44).
"""

from __future__ import annotations

import asyncio
import math
import random
from time import monotonic
from typing import TYPE_CHECKING, Any

import grpc
from grpc import StatusCode

from gossamer_kit._call import in_time

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gossamer_kit._policies import Policy
    from gossamer_kit._recording import Record
    from gossamer_kit._rules import Metadata, Rule

    Call = grpc.aio.UnaryUnaryCall[Any, Any]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.025, 0.25
_PUSHBACK = "grpc-retry-pushback-ms"


class Attempts(grpc.aio.UnaryUnaryCall):  # type: ignore[type-arg]
    """The attempts of one call, one after the other, of which the last one's answer is the call's.

    `start` makes an attempt, given a timeout. The first one waits until it is settled what is done to the call.
    """

    def __init__(
        self,
        start: Callable[..., Call],
        policy: Policy,
        path: str,
        metadata: Metadata,
        seconds: float | None,
        record: Record,
    ) -> None:
        self._start = start
        self._policy = policy
        self._path = path
        self._metadata = metadata
        self._record = record
        self._begun = monotonic()
        self._deadline = math.inf if seconds is None else self._begun + seconds
        self._attempt: Call | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_seen)

    async def _run(self) -> Any:
        try:
            await self._policy.settle_within(self._deadline - monotonic())
            rule = self._policy.find(self._path, self._metadata)
            self._deadline = min(self._deadline, self._begun + rule.timeout)
            tried = 0
            while True:
                seconds = min(self._deadline - monotonic(), rule.attempt_timeout)
                self._attempt = self._start(timeout=None if seconds == math.inf else in_time(seconds))
                try:
                    return await self._attempt
                except grpc.aio.AioRpcError as error:
                    pause = self._pause(error, rule, tried)
                    if pause is None:
                        raise
                    tried += 1
                await asyncio.sleep(pause)
        finally:
            del self  # the failure holds this frame, which would hold the failure until garbage is collected

    def _pause(self, error: grpc.aio.AioRpcError, rule: Rule, tried: int) -> float | None:
        """Give the seconds until the next attempt, or None where there is to be none."""
        if tried >= rule.retries or error.code() not in rule.statuses:
            return None
        pause = _asked(error)
        if pause is None:
            pause = min(_FIRST_PAUSE * 2**tried, _LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311  (no secret)
        if pause < 0 or monotonic() + pause >= self._deadline:
            return None
        if not self._policy.budget.spend():
            self._record.event("retry budget spent", error.code(), tried + 1)
            return None
        self._record.event("retry", error.code(), tried + 1)
        return pause

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._task.__await__()

    def cancel(self) -> bool:
        return self._task.cancel()

    def cancelled(self) -> bool:
        return self._task.cancelled()

    def done(self) -> bool:
        return self._task.done()

    def time_remaining(self) -> float | None:
        return None if self._deadline == math.inf else max(self._deadline - monotonic(), 0)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._task.add_done_callback(lambda _: callback(self))

    async def initial_metadata(self) -> Any:
        return await last.initial_metadata() if (last := await self._last()) else grpc.aio.Metadata()

    async def trailing_metadata(self) -> Any:
        return await last.trailing_metadata() if (last := await self._last()) else grpc.aio.Metadata()

    async def code(self) -> StatusCode:
        return await last.code() if (last := await self._last()) else StatusCode.CANCELLED

    async def details(self) -> str:
        return await last.details() if (last := await self._last()) else "Locally cancelled by application!"

    async def wait_for_connection(self) -> None:
        if last := await self._last():
            await last.wait_for_connection()

    async def _last(self) -> Call | None:
        """Give the attempt whose answer is the call's, once there is one; none for a call that was cancelled."""
        if not self._task.done():
            await asyncio.wait([self._task])
        return None if self._task.cancelled() else self._attempt


def _asked(error: grpc.aio.AioRpcError) -> float | None:
    """Read the pause that a server asks for; below zero it asks not to be called again."""
    asked = [value for key, value in error.trailing_metadata() or () if key == _PUSHBACK]
    if not asked:
        return None
    try:
        return int(asked[-1]) / 1000
    except ValueError:
        return -1


def _seen(task: asyncio.Task[Any]) -> None:
    """Take note of how a task ended, or asyncio complains where nobody else does."""
    if not task.cancelled():
        task.exception()
