"""Which calls get a span, and how a trace goes from service to service (W3C Trace Context, level 1).

The decision comes before anything else is done for a span, since most calls get none: asking the SDK (1.45) to start a
span that it then drops costs a call more than all the rest of the kit. A span that is kept is the SDK's own.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanKind

NOWHERE = Context()

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NOT_SAMPLED = TraceFlags(TraceFlags.DEFAULT)


class TraceIds(RandomIdGenerator):
    """Gives the SDK the trace id that was decided on."""

    decided: int | None = None

    def generate_trace_id(self) -> int:
        """Give that id once, else any."""
        decided, self.decided = self.decided, None
        return super().generate_trace_id() if decided is None else decided


class Spans:
    """Begins spans. `ratio` of the traces that begin here are kept; with `follow`, those of callers are as they say."""

    def __init__(self, tracers: TracerProvider, ids: TraceIds, *, follow: bool, ratio: float) -> None:
        self._tracer = tracers.get_tracer("gossamer_kit")
        self._ids = ids
        self._follow = follow
        self._bound = TraceIdRatioBased.get_bound_for_rate(ratio)

    def start(self, name: str, kind: SpanKind, parent: SpanContext | None) -> Span:
        """Begin a span. What is not kept still has a trace, so that logs and other services can name it."""
        if parent is None:
            low = random.getrandbits(64)
            return self._begin(name, kind, low) if low < self._bound else NotKept(low)
        if self._follow:
            kept = parent.trace_flags & TraceFlags.SAMPLED
        else:
            kept = parent.trace_id & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound
        if not kept:
            return NonRecordingSpan(parent)
        return self._tracer.start_span(name, trace.set_span_in_context(NonRecordingSpan(parent), NOWHERE), kind)

    def _begin(self, name: str, kind: SpanKind, low: int) -> Span:
        """Begin a trace whose id ends with these 64 bits, by which it was chosen."""
        self._ids.decided = random.getrandbits(64) << 64 | low
        return self._tracer.start_span(name, NOWHERE, kind)


class NotKept(NonRecordingSpan):
    """The first span of a trace that is not kept. It gets its ids when someone asks, since mostly nobody does."""

    def __init__(self, low: int) -> None:
        self._low = low
        self._made: SpanContext | None = None

    def get_span_context(self) -> SpanContext:
        """Give the ids."""
        if self._made is None:
            trace_id = random.getrandbits(64) << 64 | self._low
            self._made = SpanContext(trace_id, random.getrandbits(64), False, _NOT_SAMPLED)
        return self._made


def read(traceparent: str, tracestate: str) -> SpanContext | None:
    """Read a caller's trace; none if there is none that is well-formed."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    state = TraceState.from_header([tracestate]) if tracestate else None
    flags = _SAMPLED if int(found[3], 16) & TraceFlags.SAMPLED else _NOT_SAMPLED
    return SpanContext(int(found[1], 16), int(found[2], 16), True, flags, state)


def written(context: SpanContext) -> tuple[tuple[str, str], ...]:
    """Write a trace for an outgoing call."""
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    if not context.trace_state:
        return (("traceparent", parent),)
    return (("traceparent", parent), ("tracestate", context.trace_state.to_header()))
