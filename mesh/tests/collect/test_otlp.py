"""OTLP requests are read from bytes in both encodings; what is none is refused with words for the sender."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gossamer_mesh.collect import otlp

JSON = otlp.Encoding.JSON
PROTOBUF = otlp.Encoding.PROTOBUF


def spans_json(**span: object) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def first_span(payload: bytes) -> Span:
    request = otlp.decode(otlp.TRACES, payload, JSON)
    return request.resource_spans[0].scope_spans[0].spans[0]


def test_signals_have_the_names_of_the_specification() -> None:
    assert [(signal.path, signal.service) for signal in otlp.SIGNALS] == [
        ("/v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService"),
        ("/v1/metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService"),
        ("/v1/logs", "opentelemetry.proto.collector.logs.v1.LogsService"),
    ]


def test_ids_in_json_are_hexadecimal_in_either_case() -> None:
    span = first_span(spans_json(traceId="5B8EFFF798038103D269B633813FC60C", spanId="eee19b7ec3c1b174"))
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert span.span_id.hex() == "eee19b7ec3c1b174"


def test_ids_of_links_are_hexadecimal_too() -> None:
    span = first_span(spans_json(links=[{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}]))
    assert span.links[0].span_id.hex() == "eee19b7ec3c1b174"


@pytest.mark.parametrize("identifier", ["xyz", "abc", "", 5, None, ["00"]])
def test_an_id_that_is_no_hexadecimal_becomes_empty(identifier: object) -> None:
    assert first_span(spans_json(traceId=identifier)).trace_id == b""


def test_attributes_named_as_ids_are_left_alone() -> None:
    attribute = {"key": "traceId", "value": {"stringValue": "not hex"}}
    assert first_span(spans_json(attributes=[attribute])).attributes[0].value.string_value == "not hex"


def test_times_come_as_text_or_number_and_unknown_fields_are_ignored() -> None:
    span = first_span(spans_json(startTimeUnixNano="1544712660000000000", endTimeUnixNano=5, later="x", kind=2))
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.kind) == (1544712660000000000, 5, 2)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        spans_json(startTimeUnixNano=-1),
        spans_json(startTimeUnixNano="NaN"),
        spans_json(startTimeUnixNano=2**70),
        spans_json(name=5),
        spans_json(name="\ud800"),
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind": 1e400}]}]}]}',
    ],
)
def test_what_is_no_request_in_json_is_refused(payload: bytes) -> None:
    with pytest.raises(otlp.Malformed, match="expected"):
        otlp.decode(otlp.TRACES, payload, JSON)


def test_json_nested_deeper_than_protobuf_allows_is_refused() -> None:
    value: dict[str, object] = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(otlp.Malformed):
        otlp.decode(otlp.TRACES, spans_json(attributes=[{"key": "deep", "value": value}]), JSON)


@pytest.mark.parametrize("payload", [b"\xff", b"{}", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x03\x12\x01\xff"])
def test_what_is_no_request_in_protobuf_is_refused(payload: bytes) -> None:
    with pytest.raises(otlp.Malformed, match="expected a protobuf ExportTraceServiceRequest, found"):
        otlp.decode(otlp.TRACES, payload, PROTOBUF)


def test_an_empty_request_is_one() -> None:
    assert otlp.decode(otlp.TRACES, b"", PROTOBUF) == ExportTraceServiceRequest()
    assert otlp.decode(otlp.TRACES, b"{}", JSON) == ExportTraceServiceRequest()


def test_metrics_count_by_data_point_and_logs_by_record() -> None:
    points = {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"sum": points}, {"gauge": points}, {}]}]}]}
    assert otlp.count(otlp.decode(otlp.METRICS, json.dumps(metrics).encode(), JSON)) == 4
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add()
    assert otlp.count(otlp.decode(otlp.LOGS, logs.SerializeToString(), PROTOBUF)) == 1


def test_a_response_names_what_was_rejected_and_else_nothing() -> None:
    assert otlp.encode(otlp.trace_response(0, ""), JSON) == b"{}"
    assert json.loads(otlp.encode(otlp.trace_response(2, "trace id"), JSON)) == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "trace id"}
    }


def test_unavailable_carries_when_to_come_again() -> None:
    assert json.loads(otlp.encode(otlp.unavailable("disk full", 1), JSON)) == {
        "code": 14,
        "message": "disk full",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}],
    }
