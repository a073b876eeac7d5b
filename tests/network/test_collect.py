"""The collector takes in what official OpenTelemetry exporters send, and answers as Jaeger does.

The peers: the SDK's exporter over gRPC, plain HTTP clients (bytes written here), grpcurl.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.protobuf.json_format import ParseDict
from harness.collector import Collector
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gossamer_mesh.local.parts import have

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
TRACE_ID = "5b8efff798038103d269b633813fc60c"


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    async with Collector(tmp_path) as collector:
        yield collector


@contextmanager
def tracer(collector: Collector, service: str) -> Iterator[api.Tracer]:
    """A tracer of the official SDK; what it made has been exported when the context ends."""
    resource = Resource.create({"service.name": service, "service.instance.id": f"{service}-1"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"http://{collector.addresses['otlp_grpc']}", insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider.get_tracer("test", "1.0")
    finally:
        provider.shutdown()


def place_order(collector: Collector) -> str:
    """Make a trace of two services, as two processes would; give its id."""
    kind = api.SpanKind
    with (
        tracer(collector, "orders") as orders,
        tracer(collector, "catalog") as catalog,
        orders.start_as_current_span("PlaceOrder", kind=kind.SERVER) as root,
        orders.start_as_current_span("GetPrice", kind=kind.CLIENT),
        catalog.start_as_current_span("GetPrice", kind=kind.SERVER, attributes={"product": "p9"}) as span,
    ):
        span.set_status(api.StatusCode.ERROR, "no product p9")
    return f"{root.get_span_context().trace_id:032x}"


def request(**span: Any) -> dict[str, Any]:
    values = {
        "traceId": TRACE_ID,
        "spanId": "eee19b7ec3c1b174",
        "name": "I'm a server span",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "kind": 2,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [values | span]}]}]}


def body(**span: Any) -> bytes:
    return json.dumps(request(**span)).encode()


async def grpcurl(collector: Collector, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        have("grpcurl"),
        "-plaintext",
        *arguments[:-1],
        collector.addresses["otlp_grpc"],
        arguments[-1],
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_what_the_sdk_exported_is_readable_at_once(collector: Collector) -> None:
    trace_id = await asyncio.to_thread(place_order, collector)
    (trace,) = (await collector.get(f"/api/traces/{trace_id}"))["data"]
    spans = {(trace["processes"][span["processID"]]["serviceName"], span["operationName"]) for span in trace["spans"]}
    assert spans == {("orders", "PlaceOrder"), ("orders", "GetPrice"), ("catalog", "GetPrice")}


async def test_the_read_api_answers_every_question_of_jaegers_page(collector: Collector) -> None:
    trace_id = await asyncio.to_thread(place_order, collector)
    empty = {"limit": 0, "offset": 0, "errors": None}
    assert await collector.get("/api/services") == {"data": ["catalog", "orders"], "total": 2} | empty
    assert (
        await collector.get("/api/services/orders/operations")
        == {
            "data": ["GetPrice", "PlaceOrder"],
            "total": 2,
        }
        | empty
    )
    assert (
        await collector.get("/api/operations", service="orders", spanKind="server")
        == {
            "data": [{"name": "PlaceOrder", "spanKind": "server"}],
            "total": 1,
        }
        | empty
    )
    assert (
        await collector.get("/api/dependencies", lookback="60000")
        == {
            "data": [{"parent": "orders", "child": "catalog", "callCount": 1}],
            "total": 0,
        }
        | empty
    )
    found = await collector.get(
        "/api/traces",
        service="catalog",
        operation="GetPrice",
        tags='{"product":"p9","error":"true"}',
        lookback="1h",
        maxDuration="1m",
        limit="20",
    )
    assert [trace["traceID"] for trace in found["data"]] == [trace_id]
    assert (await collector.get("/api/traces", service="orders", tag="product:p9"))["data"] == []


async def test_an_unknown_trace_is_a_404_in_jaegers_words(collector: Collector) -> None:
    assert await collector.status_of(f"/api/traces/{TRACE_ID}") == 404
    assert await collector.get(f"/api/traces/{TRACE_ID}") == {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": [{"code": 404, "msg": "trace not found"}],
    }


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/api/traces/nothex", {}),
        ("/api/traces", {"limit": "-1"}),
        ("/api/traces", {"start": "x"}),
        ("/api/traces", {"tags": "{"}),
        ("/api/traces", {"minDuration": "9" * 400 + "h"}),
        ("/api/operations", {}),
        ("/api/dependencies", {"endTs": "x"}),
    ],
)
async def test_a_question_that_makes_no_sense_is_a_400(
    collector: Collector, path: str, parameters: dict[str, str]
) -> None:
    assert await collector.status_of(path, **parameters) == 400
    assert (await collector.get(path, **parameters))["errors"][0]["code"] == 400


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/api/traces", {"end": "-9223372036854775807"}),
        ("/api/dependencies", {"endTs": "9223372036854775807", "lookback": "-9223372036854775807"}),
    ],
)
async def test_a_time_beyond_all_others_finds_nothing(
    collector: Collector, path: str, parameters: dict[str, str]
) -> None:
    assert (await collector.get(path, **parameters))["data"] == []


async def test_json_over_http_is_taken_in(collector: Collector) -> None:
    status, headers, answer = await collector.post("/v1/traces", body(), JSON)
    assert (status, headers["Content-Type"].partition(";")[0], answer) == (200, "application/json", b"{}")
    (trace,) = (await collector.get(f"/api/traces/{TRACE_ID}"))["data"]
    (span,) = trace["spans"]
    assert (span["spanID"], span["operationName"], span["startTime"], span["duration"]) == (
        "eee19b7ec3c1b174",
        "I'm a server span",
        1544712660000000,
        1000000,
    )


async def test_compressed_protobuf_over_http_is_taken_in(collector: Collector) -> None:
    message = ParseDict(request(traceId="", spanId=""), ExportTraceServiceRequest())
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id, span.span_id = bytes.fromhex(TRACE_ID), b"12345678"
    payload = gzip.compress(message.SerializeToString())
    status, headers, answer = await collector.post("/v1/traces", payload, {**PROTOBUF, "Content-Encoding": "gzip"})
    assert (status, headers["Content-Type"], answer) == (200, "application/x-protobuf", b"")
    assert await collector.status_of(f"/api/traces/{TRACE_ID}") == 200


async def test_a_partial_success_names_how_many_spans_and_why(collector: Collector) -> None:
    status, _, answer = await collector.post("/v1/traces", body(traceId="123"), JSON)
    assert status == 200
    assert json.loads(answer) == {
        "partialSuccess": {
            "rejectedSpans": "1",
            "errorMessage": "trace id: expected 16 bytes that are not all zero, found ''",
        }
    }


@pytest.mark.parametrize("signal", ["metrics", "logs"])
async def test_metrics_and_logs_are_accepted(collector: Collector, signal: str) -> None:
    assert (await collector.post(f"/v1/{signal}", b"{}", JSON))[0] == 200
    assert (await collector.post(f"/v1/{signal}", b"", PROTOBUF))[0] == 200


async def test_hostile_bodies_are_refused_and_the_collector_goes_on(collector: Collector) -> None:
    hostile: list[tuple[bytes, dict[str, str], int]] = [
        (b"\xff\xff", PROTOBUF, 400),
        (b"{", JSON, 400),
        (b'{"resourceSpans":' * 5000, JSON, 400),
        (b"not gzip", {**JSON, "Content-Encoding": "gzip"}, 400),
        (b"{}", {**JSON, "Content-Encoding": "snappy"}, 415),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b" " * (4 * 2**20 + 1), JSON, 413),
        (gzip.compress(b" " * (200 * 2**20)), {**JSON, "Content-Encoding": "gzip"}, 413),
    ]
    statuses = [(await collector.post("/v1/traces", payload, headers))[0] for payload, headers, _ in hostile]
    assert statuses == [expected for _, _, expected in hostile]
    assert (await collector.post("/v1/traces", body(), JSON))[0] == 200
    assert _peak_memory_mib(collector) < 150


async def test_only_post_is_answered_on_the_http_port(collector: Collector) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"http://{collector.addresses['otlp_http']}/v1/traces") as got:
        assert got.status == 405


async def test_grpcurl_finds_the_services_and_their_health(collector: Collector) -> None:
    assert (await grpcurl(collector, "list")).split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        "opentelemetry.proto.collector.trace.v1.TraceService",
    ]
    assert json.loads(await grpcurl(collector, "grpc.health.v1.Health/Check")) == {"status": "SERVING"}


async def test_grpcurl_can_send_metrics_and_logs(collector: Collector) -> None:
    for signal in ("metrics.v1.MetricsService", "logs.v1.LogsService"):
        assert json.loads(await grpcurl(collector, "-d", "{}", f"opentelemetry.proto.collector.{signal}/Export")) == {}


def _peak_memory_mib(collector: Collector) -> float:
    status = Path(f"/proc/{collector.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
