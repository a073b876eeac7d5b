"""OTLP spans become what Jaeger's read API shows. The golden pair is Jaeger's own; the rest follows its JSON model."""

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from gossamer_mesh.collect import jaeger, otlp, spans

TRACE_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
SPAN_ID = bytes.fromhex("b7ad6b7169203331")

# cmd/jaeger/internal/extension/jaegerquery/internal/fixture/otlp2jaeger-in.json of Jaeger 2.20, one span of its two
JAEGER_IN = """
{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "telemetrygen"}}]},
  "scopeSpans": [{"scope": {"name": "telemetrygen"}, "spans": [{
    "traceId": "83a9efd15c1c98a977e0711cc93ee28b", "spanId": "e127af99e3b3e074", "parentSpanId": "909541b92cf05311",
    "name": "okey-dokey-0", "kind": 2,
    "startTimeUnixNano": "1706678909209712000", "endTimeUnixNano": "1706678909209835000",
    "attributes": [
      {"key": "net.peer.ip", "value": {"stringValue": "1.2.3.4"}},
      {"key": "peer.service", "value": {"stringValue": "telemetrygen-client"}}],
    "status": {}}]}],
  "schemaUrl": "https://opentelemetry.io/schemas/1.4.0"}]}
"""

# otlp2jaeger-out.json beside it, for the same span
JAEGER_OUT = {
    "data": [
        {
            "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
            "spans": [
                {
                    "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
                    "spanID": "e127af99e3b3e074",
                    "operationName": "okey-dokey-0",
                    "references": [
                        {
                            "refType": "CHILD_OF",
                            "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
                            "spanID": "909541b92cf05311",
                        }
                    ],
                    "startTime": 1706678909209712,
                    "duration": 123,
                    "tags": [
                        {"key": "otel.scope.name", "type": "string", "value": "telemetrygen"},
                        {"key": "net.peer.ip", "type": "string", "value": "1.2.3.4"},
                        {"key": "peer.service", "type": "string", "value": "telemetrygen-client"},
                        {"key": "span.kind", "type": "string", "value": "server"},
                    ],
                    "logs": [],
                    "processID": "p1",
                    "warnings": None,
                }
            ],
            "processes": {"p1": {"serviceName": "telemetrygen", "tags": []}},
            "warnings": None,
        }
    ],
    "total": 0,
    "limit": 0,
    "offset": 0,
    "errors": None,
}


def rows_of(*span: Span, resource: Resource | None = None, scope: InstrumentationScope | None = None) -> spans.Rows:
    scope_spans = ScopeSpans(spans=span, scope=scope)
    return spans.rows(
        ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope_spans])])
    )


def body_of(**fields: Any) -> dict[str, Any]:
    result = rows_of(Span(trace_id=TRACE_ID, span_id=SPAN_ID, **fields))
    return dict(json.loads(result.spans[0].body))


def attribute(key: str, **value: Any) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(**value))


def test_a_span_looks_as_jaeger_itself_shows_it() -> None:
    request = otlp.decode(otlp.TRACES, JAEGER_IN.encode(), otlp.Encoding.JSON)
    (row,) = spans.rows(request).spans
    trace = jaeger.trace(row.trace_id, [(row.body, 7)], {7: (row.process.service, row.process.tags)})
    assert json.loads(jaeger.envelope(f"[{trace}]")) == JAEGER_OUT


def test_tags_have_types_and_large_integers_are_text() -> None:
    # the values of internal/uimodel/converter/v1/json/fixtures/ui_01.json in Jaeger 2.20
    tags = body_of(
        attributes=[
            attribute("peer.service", string_value="service-y"),
            attribute("peer.ipv4", int_value=23456),
            attribute("error", bool_value=True),
            attribute("temperature", double_value=72.5),
            attribute("javascript_limit", int_value=9223372036854775222),
            attribute("blob", bytes_value=b"\x00\x0009"),
        ]
    )["tags"]
    assert tags == [
        {"key": "peer.service", "type": "string", "value": "service-y"},
        {"key": "peer.ipv4", "type": "int64", "value": 23456},
        {"key": "error", "type": "bool", "value": True},
        {"key": "temperature", "type": "float64", "value": 72.5},
        {"key": "javascript_limit", "type": "int64", "value": "9223372036854775222"},
        {"key": "blob", "type": "binary", "value": "AAAwOQ=="},
    ]


def test_lists_and_maps_become_json_text() -> None:
    ids = ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="b"), AnyValue()])
    nested = KeyValueList(values=[attribute("z", bool_value=False), attribute("a", array_value=ids)])
    assert body_of(attributes=[attribute("map", kvlist_value=nested)])["tags"] == [
        {"key": "map", "type": "string", "value": '{"a":[1,"b",""],"z":false}'}
    ]


def test_numbers_that_json_lacks_become_their_names() -> None:
    values = [float("nan"), float("inf"), float("-inf")]
    tags = body_of(attributes=[attribute("x", double_value=value) for value in values])["tags"]
    assert [tag["value"] for tag in tags] == ["NaN", "Infinity", "-Infinity"]


def test_a_failed_span_says_so_in_jaegers_tags() -> None:
    tags = body_of(status=Status(code=Status.STATUS_CODE_ERROR, message="no stock"))["tags"]
    assert tags == [
        {"key": "otel.status_code", "type": "string", "value": "ERROR"},
        {"key": "error", "type": "bool", "value": True},
        {"key": "otel.status_description", "type": "string", "value": "no stock"},
    ]


def test_events_become_logs_with_the_name_as_a_field() -> None:
    event = Span.Event(time_unix_nano=5_000, name="retry", attributes=[attribute("attempt", int_value=2)])
    assert body_of(events=[event])["logs"] == [
        {
            "timestamp": 5,
            "fields": [
                {"key": "event", "type": "string", "value": "retry"},
                {"key": "attempt", "type": "int64", "value": 2},
            ],
        }
    ]


def test_links_become_references() -> None:
    links = [Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID), Span.Link(trace_id=b"short", span_id=SPAN_ID)]
    assert body_of(links=links)["references"] == [
        {"refType": "FOLLOWS_FROM", "traceID": TRACE_ID.hex(), "spanID": SPAN_ID.hex()}
    ]


def test_scope_state_and_sampling_are_kept() -> None:
    span = Span(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="a=b", flags=1)
    (row,) = rows_of(span, scope=InstrumentationScope(name="grpc", version="1.2")).spans
    body = json.loads(row.body)
    assert body["flags"] == 1
    assert [(tag["key"], tag["value"]) for tag in body["tags"]] == [
        ("otel.scope.name", "grpc"),
        ("otel.scope.version", "1.2"),
        ("w3c.tracestate", "a=b"),
    ]


def test_a_span_that_ends_before_it_starts_lasts_no_time_and_carries_a_warning() -> None:
    body = body_of(start_time_unix_nano=9_000, end_time_unix_nano=1_000)
    assert (body["startTime"], body["duration"]) == (9, 0)
    assert body["warnings"] == ["the span ends before it starts; its duration is shown as 0"]


def test_the_largest_time_fits_the_store() -> None:
    row = rows_of(Span(trace_id=TRACE_ID, span_id=SPAN_ID, end_time_unix_nano=2**64 - 1)).spans[0]
    assert row.duration == (2**64 - 1) // 1000 < 2**63


def test_the_process_is_the_resource_without_the_services_name() -> None:
    resource = Resource(
        attributes=[attribute("service.name", string_value="orders"), attribute("zone", string_value="a")]
    )
    assert spans.process_of(resource) == spans.Process(
        service="orders", tags='[{"key":"zone","type":"string","value":"a"}]'
    )


def test_a_resource_without_attributes_has_jaegers_name_for_it() -> None:
    assert spans.process_of(Resource()).service == "OTLPResourceNoServiceName"


def test_bad_ids_reject_their_span_only() -> None:
    result = rows_of(
        Span(trace_id=b"short", span_id=SPAN_ID),
        Span(trace_id=bytes(16), span_id=SPAN_ID),
        Span(trace_id=TRACE_ID, span_id=b""),
        Span(trace_id=TRACE_ID, span_id=SPAN_ID, parent_span_id=b"123"),
        Span(trace_id=TRACE_ID, span_id=SPAN_ID, name="good"),
    )
    assert [row.name for row in result.spans] == ["good"]
    assert result.rejected == 4
    assert result.reason == "trace id: expected 16 bytes that are not all zero, found '73686f7274'"


def test_a_parent_of_zeros_is_no_parent() -> None:
    assert body_of(parent_span_id=bytes(8))["references"] == []


def test_an_id_of_64_bits_is_written_with_16_digits() -> None:
    assert spans.trace_id_text(bytes(8) + SPAN_ID) == "b7ad6b7169203331"
    assert spans.trace_id_text(TRACE_ID) == "0af7651916cd43dd8448eb211c80319c"
