"""The incoming call that the present task works for: its trace and baggage, its time, and who still waits for it."""

from __future__ import annotations

import asyncio
import math
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

_SHORTEST, _OVER = 0.001, -1.0


class Incoming:
    """One incoming call, as the task sees it that handles it. None remaining: the caller set no deadline."""

    __slots__ = ("_deadline", "_gone", "_handler", "baggage", "span")

    def __init__(self, remaining: float | None, span: Span, baggage: str) -> None:
        self.span = span
        self.baggage = baggage
        self._deadline = math.inf if remaining is None else time.monotonic() + remaining
        self._handler = asyncio.current_task()
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether the handler was cancelled, as gRPC does when the caller has gone away or the time is over."""
        return self._gone if self._handler is None else self._handler.cancelling() > 0

    def over(self) -> bool:
        """Tell whether the call is gone, and leave it at that.

        The handler's task has this call in its context. If this went on holding the task, both would stay until garbage
        is next collected.
        """
        self._gone, self._handler = self.gone, None
        return self._gone

    def remaining(self) -> float:
        """Seconds that are left."""
        return max(self._deadline - time.monotonic(), 0.0)


incoming: ContextVar[Incoming | None] = ContextVar("incoming", default=None)


def current_trace() -> SpanContext | None:
    """Give the span that the present task works for, whether or not it is kept; none outside of calls."""
    inner = trace.get_current_span().get_span_context()
    if inner.is_valid:
        return inner
    call = incoming.get()
    return None if call is None else call.span.get_span_context()


def trace_id() -> str:
    """Give the id of the present call's trace in hexadecimal; empty outside of calls."""
    context = current_trace()
    return "" if context is None else trace.format_trace_id(context.trace_id)


def limit(timeout: float | None, default: float) -> float | None:
    """Give an outgoing call its seconds: its own or the default, and at most what the incoming call has left.

    `math.inf` asks for no deadline, which only a call outside of any other can have: then the answer is None.
    """
    seconds = default if timeout is None else timeout
    call = incoming.get()
    if call is not None:
        seconds = min(seconds, call.remaining())
    return None if seconds == math.inf else in_time(seconds)


def in_time(seconds: float) -> float:
    """Give the seconds that gRPC is to be told: of less than a millisecond it takes note too late to end a call."""
    return seconds if seconds > _SHORTEST else _OVER
