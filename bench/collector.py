"""What the collector takes in and how fast it answers, and what of that is the price of keeping spans.

Side one is the collector; side two is a gRPC server of the same library that takes the same bytes and throws them away
unread: between them lies everything that makes a collector. Both get the same requests, made before the clock starts,
one side after the other in every round: 512 spans each (what official exporters send at once), ten attributes a span,
ids never seen before. The clock is the server's own processor time, as the sender needs as much again on few cores; it
is summed over all rounds, as one round of the other side is only a few ticks of the system's clock.

Then the collector, with what all rounds have left in it, is asked what people and pages ask. "Readable" is the time
from the beginning of an export to the end of a read that finds the span.

    python bench/collector.py
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import figures
import grpc
import grpc.aio
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
ROUNDS = 7
REQUESTS = 20
SPANS = 512
READS = 15
MEGABYTE = 1_000_000
TICK = 1 / os.sysconf("SC_CLK_TCK")
"""The least processor time that can be measured, in seconds."""
OPERATION = "shop.catalog.v1.CatalogService/GetProduct"

Send: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"


class Side:
    """One of the servers that are compared."""

    def __init__(self, name: str, command: list[str], cleanup: ExitStack) -> None:
        """Start it and wait for its announcement."""
        self.name = name
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cleanup.callback(_end, child)
        assert child.stdout
        self.addresses = json.loads(child.stdout.readline())["addresses"]
        self.process = psutil.Process(child.pid)
        self.spans = 0
        self.spent = 0.0
        """Seconds of its processor time that all requests took."""

    def take(self, requests: list[bytes]) -> None:
        """Send requests one after the other; add up the processor time."""
        with grpc.insecure_channel(self.addresses["otlp_grpc"]) as channel:
            send: Send = channel.unary_unary(f"/{SERVICE}/Export")
            before = self.processor_seconds
            for request in requests:
                send(request, timeout=30)
            self.spans += len(requests) * SPANS
            self.spent += self.processor_seconds - before

    @property
    def spans_per_second(self) -> float:
        """Spans for a second of its processor time."""
        return self.spans / max(self.spent, TICK)

    def ask(self, path: str) -> list[float]:
        """Ask the read API many times; give the milliseconds of each."""
        took = []
        for _ in range(READS):
            began = time.perf_counter()
            with urllib.request.urlopen(f"http://{self.addresses['query']}{path}") as answer:
                answer.read()
            took.append((time.perf_counter() - began) * 1000)
        return took

    def readable(self) -> list[float]:
        """Export single spans and read each; give the milliseconds of each."""
        took = []
        with grpc.insecure_channel(self.addresses["otlp_grpc"]) as channel:
            send: Send = channel.unary_unary(f"/{SERVICE}/Export")
            for _ in range(READS):
                request = _request(1)
                trace_id = (
                    ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans[0].trace_id
                )
                began = time.perf_counter()
                send(request, timeout=30)
                with urllib.request.urlopen(f"http://{self.addresses['query']}/api/traces/{trace_id.hex()}") as answer:
                    answer.read()
                took.append((time.perf_counter() - began) * 1000)
        return took

    @property
    def processor_seconds(self) -> float:
        """What it has used of the processor."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def megabytes(self) -> float:
        """What it holds of the memory."""
        return float(self.process.memory_info().rss) / MEGABYTE


def measure() -> list[figures.Figure]:
    """Run all rounds and questions."""
    with ExitStack() as cleanup:
        store = Path(cleanup.enter_context(tempfile.TemporaryDirectory())) / "spans.db"
        ports = [f"--{port}=127.0.0.1:0" for port in ("grpc", "http", "query")]
        collect = [sys.executable, "-m", "gossamer_mesh.collect", *ports, "--store", str(store), "--max-bytes=1GiB"]
        collector = Side("collector", collect, cleanup)
        sink = Side("sink", [sys.executable, __file__, "--sink"], cleanup)
        idle = collector.megabytes
        for _ in range(ROUNDS):
            requests = [_request(SPANS) for _ in range(REQUESTS)]
            sink.take(requests)
            collector.take(requests)
        kept = collector.spans
        share = collector.spans_per_second / sink.spans_per_second
        loaded = collector.megabytes
        readable = collector.readable()
        about = f"{kept:,} spans kept"
        return [
            _figure("spans for a second of processor time", [collector.spans_per_second], "spans/s", "absolute"),
            _figure("of what a server does that keeps nothing", [share], "ratio", "grpc.aio server that throws away"),
            _figure("a span is readable after its export began", readable, "ms", about, {"max": 1000}),
            _figure("newest 20 traces", collector.ask("/api/traces?limit=20"), "ms", about),
            _figure(
                "newest 20 of a service and operation",
                collector.ask(f"/api/traces?service=bench&operation={OPERATION}&limit=20"),
                "ms",
                about,
            ),
            _figure("a tag that no span has", collector.ask("/api/traces?service=bench&tag=none:x"), "ms", about),
            _figure("dependencies", collector.ask("/api/dependencies"), "ms", about),
            _figure("memory, idle", [idle], "MB", "absolute", {"max": 60}),
            _figure("memory, after all that was sent", [loaded], "MB", "absolute"),
            _figure("file for each span", [store.stat().st_size / kept], "bytes", "absolute"),
        ]


def _figure(
    name: str, values: list[float], unit: str, against: str, aim: dict[str, float] | None = None
) -> figures.Figure:
    return figures.Figure(figure=name, values=values, unit=unit, against=against, aim=aim)


def _request(spans: int) -> bytes:
    """Make a request of new spans, eight to a trace, each the child of the one before."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(_text("service.name", "bench"))
    made = resource_spans.scope_spans.add().spans
    now = time.time_ns()
    for number in range(spans):
        if number % 8 == 0:
            trace_id, parent = secrets.token_bytes(16), b""
        span = made.add(trace_id=trace_id, span_id=secrets.token_bytes(8), parent_span_id=parent, name=OPERATION)
        span.kind = Span.SPAN_KIND_SERVER
        span.start_time_unix_nano, span.end_time_unix_nano = now + number, now + number + 2_000_000
        span.attributes.extend(_text(f"rpc.attribute.{each}", f"a value of usual length {each}") for each in range(10))
        parent = span.span_id
    return request.SerializeToString()


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    child.communicate(timeout=30)


async def _sink() -> None:
    """Take requests and throw them away, until terminated."""

    async def export(_: bytes, __: Any) -> bytes:
        return b""

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(export)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"addresses": {"otlp_grpc": f"127.0.0.1:{port}"}}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    if sys.argv[1:] == ["--sink"]:
        asyncio.run(_sink())
    else:
        results = measure()
        figures.show(results)
        figures.write("collector", results)
