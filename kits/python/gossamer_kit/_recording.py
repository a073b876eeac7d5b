"""What one call leaves behind on either side: one span, and its duration in a histogram.

Written on OpenTelemetry's API. The interceptors of opentelemetry-instrumentation-grpc 0.66b2 are not used: they
- leave the span of a handler that raises unset, with status 0 and two exception events
  (open-telemetry/opentelemetry-python-contrib #5068), and end deadlines and cancellations as status 0;
- never end the aio client's spans of cancelled calls and abandoned streams (#3271);
- have no metrics (#1042), and only attribute names that the semantic conventions have replaced since;
- wrap every call anew, where this knows each method once and costs an unsampled call next to nothing.
Names are those of https://opentelemetry.io/docs/specs/semconv/rpc/grpc/.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from grpc import StatusCode
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace import StatusCode as SpanStatus

from gossamer_kit import _spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.trace import Span, SpanContext

    from gossamer_kit._durations import Durations, Series

# What the conventions count as a server's own failure; a client counts all but OK.
_SERVER_ERRORS = frozenset({
    StatusCode.UNKNOWN, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL, StatusCode.UNAVAILABLE, StatusCode.DATA_LOSS,
})  # fmt: skip
_CLIENT_ERRORS = frozenset(StatusCode) - {StatusCode.OK}

KNOWN_PEERS = 1000  # as many callers of a method have series of their own, the rest are counted without a name

_AGENT = "gossamer/"
_PEER = re.compile(_AGENT + r"([a-z][a-z0-9-]{0,62})(?: |$)")


class Recorder:
    """What all methods of one side have in common."""

    def __init__(self, spans: _spans.Spans, durations: Durations, *, server: bool) -> None:
        self.spans = spans
        self.durations = durations
        self.kind = SpanKind.SERVER if server else SpanKind.CLIENT
        self.errors = _SERVER_ERRORS if server else _CLIENT_ERRORS
        self._peers: set[tuple[str, str]] = set()

    def knows(self, method: str, peer: str) -> bool:
        """Tell whether calls of a method are counted by this peer, since callers name themselves as they like."""
        if (method, peer) not in self._peers:
            if len(self._peers) >= KNOWN_PEERS:
                return False
            self._peers.add((method, peer))
        return True


class Method:
    """One method of one side: what all its calls have in common. `path` is gRPC's, with the leading slash."""

    def __init__(self, recorder: Recorder, path: str, attributes: dict[str, str]) -> None:
        self._recorder = recorder
        self._name = path.removeprefix("/")
        self._attributes = {"rpc.system.name": "grpc", "rpc.method": self._name, **attributes}
        self._ends: dict[tuple[StatusCode, str], tuple[dict[str, str], Series]] = {}

    def start(self, parent: SpanContext | None, peer: str) -> Record:
        """Begin a call, with the span it belongs to and the service at its other end, as far as known."""
        recorder = self._recorder
        return Record(self, recorder.spans.start(self._name, recorder.kind, parent), peer)

    def ends(self, code: StatusCode, peer: str) -> tuple[dict[str, str], Series]:
        """Give what all calls that end so are labelled with, and where they are counted."""
        return self._ends.get((code, peer)) or self._end(code, peer)

    def failed(self, code: StatusCode) -> bool:
        """Tell whether a status is an error, on this side."""
        return code in self._recorder.errors

    def _end(self, code: StatusCode, peer: str) -> tuple[dict[str, str], Series]:
        if peer and not self._recorder.knows(self._name, peer):
            return self.ends(code, "")
        labels = {**self._attributes, "rpc.response.status_code": code.name}
        if self.failed(code):
            labels["error.type"] = code.name
        if peer:
            labels["service.peer.name"] = peer
        made = self._ends[code, peer] = labels, self._recorder.durations.series(labels)
        return made


class Record:
    """One call. It ends once, whatever ends it first."""

    __slots__ = ("_ended", "_method", "_peer", "_started", "span")

    def __init__(self, method: Method, span: Span, peer: str) -> None:
        self.span = span
        self._method = method
        self._peer = peer
        self._ended = False
        self._started = perf_counter()

    def event(self, name: str, code: StatusCode, attempt: int) -> None:
        """Say what became of one attempt of the call; the first one has the number 1."""
        if self.span.is_recording():
            self.span.add_event(name, {"rpc.response.status_code": code.name, "attempt": attempt})

    def end(self, code: StatusCode, detail: str = "") -> None:
        """Say how the call ended. `detail` becomes the span's description when the status is an error."""
        if self._ended:
            return
        self._ended = True
        labels, series = self._method.ends(code, self._peer)
        series.add(perf_counter() - self._started)
        if self.span.is_recording():
            self.span.set_attributes(labels)
            if self._method.failed(code):
                self.span.set_status(Status(SpanStatus.ERROR, detail or None))
            self.span.end()


class Caller(NamedTuple):
    """What incoming metadata tells of the caller.

    Attributes:
        trace: the span that the call belongs to.
        service: its name, where it is one of the mesh.
        baggage: what the caller has carried along, as https://www.w3.org/TR/baggage/ writes it.
    """

    trace: SpanContext | None
    service: str
    baggage: str


def caller(metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
    """Read what incoming metadata tells of the caller."""
    parent = state = peer = baggage = ""
    for key, value in metadata:
        if key == "traceparent":
            parent = str(value)
        elif key == "tracestate":
            state = str(value)
        elif key == "user-agent" and (named := _PEER.match(str(value))):
            peer = named[1]
        elif key == "baggage":
            baggage = f"{baggage},{value!s}" if baggage else str(value)
    return Caller(_spans.read(parent, state) if parent else None, peer, baggage)


def user_agent(service: str) -> str:
    """Name the calling service so that the one that is called can tell who called it."""
    return f"{_AGENT}{service}"
