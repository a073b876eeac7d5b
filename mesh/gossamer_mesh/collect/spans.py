"""Turns OTLP spans into the rows that the store keeps. Pure: no sockets, no clock, no database.

A row's body is the span as Jaeger's read API shows it, rendered once, here, so that reading is copying. The mapping
is the one of the OpenTelemetry Collector's Jaeger translator (pkg/translator/jaeger/traces_to_jaegerproto.go) and of
Jaeger's JSON model (internal/uimodel in github.com/jaegertracing/jaeger).
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

NO_SERVICE: Final = "OTLPResourceNoServiceName"
"""What Jaeger calls the service of a resource that has no attributes."""

KINDS: Final = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
    Span.SPAN_KIND_PRODUCER: "producer",
    Span.SPAN_KIND_CONSUMER: "consumer",
}

_STATUSES: Final = {Status.STATUS_CODE_OK: "OK", Status.STATUS_CODE_ERROR: "ERROR"}
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_SAFE_INTEGER: Final = 2**53 - 1  # what a JavaScript client can hold; Jaeger sends larger ones as strings
_SAMPLED: Final = 1
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SORTED_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)

Tag = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """Who made a span: one resource."""

    service: str
    tags: str
    """JSON, in Jaeger's shape."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRow:
    """One span as the store keeps it."""

    process: Process
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    """Empty for a root."""
    name: str
    kind: str
    """internal, server, client, producer, consumer, or empty."""
    start: int
    """Microseconds since the epoch."""
    duration: int
    """Microseconds, never negative."""
    failed: bool
    body: str
    """JSON, in Jaeger's shape, without its ``processID``."""


@dataclass(kw_only=True, slots=True)
class Rows:
    """What came out of one export request."""

    spans: list[SpanRow] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""
    """Why the first rejected span was."""


def rows(request: ExportTraceServiceRequest) -> Rows:
    """Translate a request; spans with ids that are no ids are rejected, all others are kept."""
    result = Rows()
    for resource_spans in request.resource_spans:
        process = process_of(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            scope = list(_scope_tags(scope_spans.scope))
            for span in scope_spans.spans:
                if fault := _fault(span):
                    result.rejected += 1
                    result.reason = result.reason or fault
                else:
                    result.spans.append(_row(span, process, scope))
    return result


def process_of(resource: Resource) -> Process:
    """Translate a resource; the service's name is its attribute ``service.name``."""
    service = "" if resource.attributes else NO_SERVICE
    tags = []
    for attribute in resource.attributes:
        if attribute.key == "service.name":
            service = _text(attribute.value)
        else:
            tags.append(_tag(attribute.key, attribute.value))
    return Process(service=service, tags=_json(tags))


def trace_id_text(trace_id: bytes) -> str:
    """Write a trace id as Jaeger does: 16 digits if the upper half is zero, else 32."""
    return trace_id[8:].hex() if not any(trace_id[:8]) else trace_id.hex()


def _fault(span: Span) -> str:
    if len(span.trace_id) != _TRACE_ID_BYTES or not any(span.trace_id):
        return f"trace id: expected {_TRACE_ID_BYTES} bytes that are not all zero, found {span.trace_id[:32].hex()!r}"
    if len(span.span_id) != _SPAN_ID_BYTES or not any(span.span_id):
        return f"span id: expected {_SPAN_ID_BYTES} bytes that are not all zero, found {span.span_id[:32].hex()!r}"
    if len(span.parent_span_id) not in {0, _SPAN_ID_BYTES}:
        found = span.parent_span_id[:32].hex()
        return f"parent span id: expected {_SPAN_ID_BYTES} bytes or none, found {found!r}"
    return ""


def _row(span: Span, process: Process, scope: list[Tag]) -> SpanRow:
    start = span.start_time_unix_nano // 1000
    duration = max(0, span.end_time_unix_nano - span.start_time_unix_nano) // 1000
    parent_id = span.parent_span_id if any(span.parent_span_id) else b""
    trace_id = trace_id_text(span.trace_id)
    body: dict[str, Any] = {"traceID": trace_id, "spanID": span.span_id.hex()}
    if span.flags & _SAMPLED:
        body["flags"] = _SAMPLED
    body |= {
        "operationName": span.name,
        "references": _references(span, trace_id, parent_id),
        "startTime": start,
        "duration": duration,
        "tags": [*scope, *_span_tags(span)],
        "logs": [_log(event) for event in span.events],
        "warnings": _warnings(span),
    }
    return SpanRow(
        process=process,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent_id,
        name=span.name,
        kind=KINDS.get(span.kind, ""),
        start=start,
        duration=duration,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        body=_json(body),
    )


def _references(span: Span, trace_id: str, parent_id: bytes) -> list[dict[str, str]]:
    references = []
    if parent_id:
        references.append({"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent_id.hex()})
    references.extend(
        {"refType": "FOLLOWS_FROM", "traceID": trace_id_text(link.trace_id), "spanID": link.span_id.hex()}
        for link in span.links
        if len(link.trace_id) == _TRACE_ID_BYTES and len(link.span_id) == _SPAN_ID_BYTES
    )
    return references


def _scope_tags(scope: InstrumentationScope) -> Iterator[Tag]:
    if scope.name:
        yield _string("otel.scope.name", scope.name)
    if scope.version:
        yield _string("otel.scope.version", scope.version)


def _span_tags(span: Span) -> Iterator[Tag]:
    yield from _tags(span.attributes)
    if kind := KINDS.get(span.kind):
        yield _string("span.kind", kind)
    if status := _STATUSES.get(span.status.code):
        yield _string("otel.status_code", status)
    if span.status.code == Status.STATUS_CODE_ERROR:
        yield {"key": "error", "type": "bool", "value": True}
    if span.status.message:
        yield _string("otel.status_description", span.status.message)
    if span.trace_state:
        yield _string("w3c.tracestate", span.trace_state)


def _log(event: Span.Event) -> dict[str, Any]:
    fields = list(_tags(event.attributes))
    if event.name and all(tag["key"] != "event" for tag in fields):
        fields.insert(0, _string("event", event.name))
    return {"timestamp": event.time_unix_nano // 1000, "fields": fields}


def _warnings(span: Span) -> list[str] | None:
    if span.end_time_unix_nano >= span.start_time_unix_nano:
        return None
    return ["the span ends before it starts; its duration is shown as 0"]


def _tags(attributes: Iterable[KeyValue]) -> Iterator[Tag]:
    return (_tag(attribute.key, attribute.value) for attribute in attributes)


def _tag(key: str, value: AnyValue) -> Tag:
    match value.WhichOneof("value"):
        case "string_value":
            return _string(key, value.string_value)
        case "int_value":
            number = value.int_value
            return {"key": key, "type": "int64", "value": number if abs(number) <= _SAFE_INTEGER else str(number)}
        case "bool_value":
            return {"key": key, "type": "bool", "value": value.bool_value}
        case "double_value":
            return {"key": key, "type": "float64", "value": _float(value.double_value)}
        case "bytes_value":
            return {"key": key, "type": "binary", "value": base64.b64encode(value.bytes_value).decode()}
        case _:
            return _string(key, _text(value))


def _string(key: str, value: str) -> Tag:
    return {"key": key, "type": "string", "value": value}


def _float(value: float) -> float | str:
    """JSON has no NaN and no infinity: those become the names that protobuf's JSON gives them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(value: AnyValue) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else _SORTED_ENCODER.encode(plain)


def _plain(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: _plain(item.value) for item in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "double_value":
            return _float(value.double_value)
        case None:
            return ""
        case kind:
            return getattr(value, kind)


def _json(value: Any) -> str:
    return _ENCODER.encode(value)
