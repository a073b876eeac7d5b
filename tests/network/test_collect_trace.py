"""`gossamer trace` draws what a real collector holds: the newest trace, or the one whose id begins as given."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import typer
from harness.collector import Collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from typer.testing import CliRunner, Result

from gossamer_mesh.cli import show, stack
from gossamer_mesh.cli.trace import trace
from gossamer_mesh.errors import Problem, UsageProblem

Run = Callable[..., Result]


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    async with Collector(tmp_path) as collector:
        yield collector


@pytest.fixture
def run(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the verb against the collector, as the stack's own."""
    app = typer.Typer()
    app.command()(trace)
    monkeypatch.setattr(stack, "address", lambda part: {"jaeger": collector.addresses["query"]}[part])
    monkeypatch.setattr(show.console, "width", 100)
    return lambda *words: CliRunner().invoke(app, words)


async def send(collector: Collector, trace_id: str, start: int) -> None:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    name = resource_spans.resource.attributes.add(key="service.name")
    name.value.string_value = "orders"
    spans = resource_spans.scope_spans.add().spans
    for number, parent in ((1, b""), (2, bytes(7) + b"\x01")):
        made = spans.add(trace_id=bytes.fromhex(trace_id), span_id=bytes(7) + bytes([number]), parent_span_id=parent)
        made.name = f"step-{number}"
        made.start_time_unix_nano, made.end_time_unix_nano = start * 10**9, start * 10**9 + 5_000_000
    made.status.code, made.status.message = Status.STATUS_CODE_ERROR, "no stock"
    headers = {"Content-Type": "application/x-protobuf"}
    assert (await collector.post("/v1/traces", request.SerializeToString(), headers))[0] == 200


OLD, NEW, NEWER = "ab" * 16, "ac" * 16, "cd" * 16


@pytest.fixture
async def three_traces(collector: Collector) -> None:
    for age, trace_id in ((30, OLD), (20, NEW), (10, NEWER)):
        await send(collector, trace_id, int(time.time()) - age)


@pytest.mark.usefixtures("three_traces")
async def test_the_newest_trace_is_drawn(run: Run) -> None:
    result = await asyncio.to_thread(run)
    title, _, first, second = result.stdout.splitlines()
    assert title.startswith(f"trace {NEWER}  ")
    assert title.endswith("  5.00 ms  2 spans  orders  1 error")
    assert first.split() == ["orders", "step-1", "0", "µs", "5.00", "ms", "█" * 20]
    assert second.split() == ["└─", "orders", "step-2", "0", "µs", "5.00", "ms", "█" * 20, "no", "stock"]


@pytest.mark.usefixtures("three_traces")
async def test_a_trace_is_found_by_the_beginning_of_its_id(run: Run) -> None:
    assert f"trace {OLD} " in (await asyncio.to_thread(run, "abab")).stdout
    assert f"trace {NEW} " in (await asyncio.to_thread(run, NEW.upper())).stdout


@pytest.mark.usefixtures("three_traces")
async def test_json_is_for_programs(run: Run) -> None:
    shown = json.loads((await asyncio.to_thread(run, "ab", "--json")).stdout)
    assert shown["trace_id"] == OLD
    assert [(span["depth"], span["operation"], span["status"]) for span in shown["spans"]] == [
        (0, "step-1", ""),
        (1, "step-2", "no stock"),
    ]


@pytest.mark.usefixtures("three_traces")
@pytest.mark.parametrize(
    ("word", "kind", "message"),
    [
        ("99", Problem, "no trace begins with 99; make one with a call, then: gossamer trace"),
        ("a", Problem, f"a begins several traces, {NEW} for one; give more digits"),
        ("xyz", UsageProblem, "expected the hexadecimal digits of a trace id, found 'xyz'"),
        ("a" * 33, UsageProblem, f"expected at most 32 digits of a trace id, found 33: {'a' * 33}"),
    ],
)
async def test_what_is_not_one_trace_is_told(run: Run, word: str, kind: type[Problem], message: str) -> None:
    problem = (await asyncio.to_thread(run, word)).exception
    assert type(problem) is kind
    assert str(problem) == message


async def test_an_empty_collector_says_so(run: Run) -> None:
    problem = (await asyncio.to_thread(run)).exception
    assert str(problem) == "no trace was received yet; make one with a call, then: gossamer trace"


async def test_a_collector_that_is_gone_is_one_line(run: Run, collector: Collector) -> None:
    await collector.end()
    problem = (await asyncio.to_thread(run)).exception
    assert isinstance(problem, Problem)
    assert str(problem).startswith(f"the collector at {collector.addresses['query']} does not answer (")
    assert str(problem).endswith("); see: gossamer logs collector")
