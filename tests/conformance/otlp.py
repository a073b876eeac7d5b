"""An OTLP receiver inside the tests: what the probes export is waited for here, and read as it came."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

WITHIN = 10.0
"""Seconds until what was recorded must have been exported."""

KINDS = {2: "server", 3: "client"}
STATUSES = {0: "unset", 1: "ok", 2: "error"}


@dataclass(frozen=True)
class Span:
    """One finished span."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    status: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Point:
    """One data point of a histogram."""

    service: str
    metric: str
    unit: str
    count: int
    sum: float
    attributes: dict[str, Any]


class Receiver(traces_grpc.TraceServiceServicer, metrics_grpc.MetricsServiceServicer):
    """Takes in spans and metrics on a free port. `async with` binds it."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._points: dict[tuple[Any, ...], Point] = {}
        self._arrived = asyncio.Condition()
        self._server = grpc.aio.server()
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        traces_grpc.add_TraceServiceServicer_to_server(self, self._server)
        metrics_grpc.add_MetricsServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def Export(self, request: Any, _context: Any) -> Any:
        """Take what the kits send. Both contracts call their method so."""
        async with self._arrived:
            if isinstance(request, traces.ExportTraceServiceRequest):
                self._spans += _spans(request)
            else:
                self._points.update((_identity(point), point) for point in _points(request))
            self._arrived.notify_all()
        if isinstance(request, traces.ExportTraceServiceRequest):
            return traces.ExportTraceServiceResponse()
        return metrics.ExportMetricsServiceResponse()

    async def spans(self, trace_id: str, count: int) -> list[Span]:
        """Wait for the spans of a trace. Fails when there are not as many, or more."""
        return await self._until(lambda: [span for span in self._spans if span.trace_id == trace_id], count)

    async def points(self, metric: str, count: int = 1, **attributes: str) -> list[Point]:
        """Wait for data points of a metric with these attributes, where `_` in a name stands for a dot."""
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        wanted = {key.replace("status.code", "status_code"): value for key, value in wanted.items()}

        def found() -> list[Point]:
            known = [point for point in self._points.values() if point.metric == metric]
            return [
                point for point in known if wanted.items() <= {"service": point.service, **point.attributes}.items()
            ]

        return await self._until(found, count)

    async def _until(self, found: Callable[[], list[Any]], count: int) -> list[Any]:
        try:
            async with asyncio.timeout(WITHIN), self._arrived:
                await self._arrived.wait_for(lambda: len(found()) >= count)
        except TimeoutError:
            raise AssertionError(f"expected {count} within {WITHIN} s, found {found()}") from None
        assert len(found()) == count, found()
        return found()


def _spans(request: traces.ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            service=resource["service.name"],
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            kind=KINDS.get(span.kind, str(span.kind)),
            status=STATUSES[span.status.code],
            attributes=_values(span.attributes),
            resource=resource,
            events=tuple(event.name for event in span.events),
            seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )
        for group in request.resource_spans
        for resource in [_values(group.resource.attributes)]
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _points(request: metrics.ExportMetricsServiceRequest) -> list[Point]:
    return [
        Point(
            service=_values(group.resource.attributes)["service.name"],
            metric=metric.name,
            unit=metric.unit,
            count=point.count,
            sum=point.sum,
            attributes=_values(point.attributes),
        )
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        for point in metric.histogram.data_points
    ]


def _identity(point: Point) -> tuple[Any, ...]:
    return (point.service, point.metric, *sorted(point.attributes.items()))


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}
