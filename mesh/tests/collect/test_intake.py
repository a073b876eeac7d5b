"""A sender is answered when its spans are stored; what can't be stored is given back, never kept in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from gossamer_mesh.collect import intake, otlp, spans
from gossamer_mesh.collect.intake import Intake, Overloaded
from gossamer_mesh.collect.search import Search
from gossamer_mesh.collect.store import Store, Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, max_bytes=2**20, max_age=10**9) as store:
        yield store


class Lines(list[tuple[str, str]]):
    """What was logged."""

    def __call__(self, level: str, message: str, /, **_: object) -> None:
        self.append((level, message))


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[tuple[Intake, Lines]]:
    lines = Lines()
    async with Intake(store, lines) as taken:
        yield taken, lines


def payload(trace: int, *, spans: int = 1, name: str = "op") -> bytes:
    made = [
        Span(trace_id=trace.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name=name)
        for number in range(1, spans + 1)
    ]
    resource_spans = ResourceSpans(scope_spans=[ScopeSpans(spans=made)])
    return ExportTraceServiceRequest(resource_spans=[resource_spans]).SerializeToString()


async def send(taken: Intake, body: bytes) -> otlp.Response:
    return await taken.take(otlp.TRACES, body, otlp.Encoding.PROTOBUF)


async def test_what_was_answered_can_be_read(store: Store, path: Path) -> None:
    async with opened(store) as (taken, _):
        assert await send(taken, payload(1, spans=3)) == otlp.trace_response(0, "")
        assert Search(path).span_count() == 3
        assert (taken.counts.spans, taken.waiting_bytes) == (3, 0)


async def test_a_span_that_comes_twice_is_counted_as_such(store: Store) -> None:
    async with opened(store) as (taken, _):
        await send(taken, payload(1))
        await send(taken, payload(1))
        assert (taken.counts.spans, taken.counts.duplicates) == (1, 1)


async def test_a_malformed_payload_harms_no_other(store: Store, path: Path) -> None:
    async with opened(store) as (taken, _):
        answers = await asyncio.gather(
            send(taken, payload(1)), send(taken, b"\xff"), send(taken, payload(2)), return_exceptions=True
        )
        assert [type(answer).__name__ for answer in answers] == [
            "ExportTraceServiceResponse",
            "Malformed",
            "ExportTraceServiceResponse",
        ]
        assert Search(path).span_count() == 2


async def test_leaving_stores_what_waits(store: Store, path: Path) -> None:
    async with opened(store) as (taken, _):
        waiting = [asyncio.ensure_future(send(taken, payload(trace))) for trace in range(1, 20)]
        await asyncio.sleep(0)  # each has put its payload into the queue
    await asyncio.gather(*waiting)
    assert Search(path).span_count() == 19


async def test_a_full_queue_turns_senders_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    body = payload(1, name="x" * 1000)
    async with opened(store) as (taken, _):
        await send(taken, body)  # the control: there is room
        monkeypatch.setattr(intake, "MAX_WAITING", 500)
        with pytest.raises(Overloaded, match="the collector has 0 bytes waiting to be stored"):
            await send(taken, body)
        assert taken.counts.turned_away == 1


async def test_a_store_that_fails_turns_senders_away_until_it_works_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: list[spans.SpanRow]) -> int:
        raise Unavailable(f"disk full, {len(rows)} spans")

    async with opened(store) as (taken, lines):
        with monkeypatch.context() as broken:
            broken.setattr(store, "append", fail)
            for trace in (1, 2):
                with pytest.raises(Overloaded, match="disk full"):
                    await send(taken, payload(trace))
            assert taken.failing == "disk full, 1 spans"
        await send(taken, payload(1))
        assert taken.failing == ""
        assert taken.waiting_bytes == 0
    assert lines == [
        ("error", "spans can't be stored: disk full, 1 spans; senders are asked to come again"),
        ("info", "spans are stored again"),
    ]


async def test_what_can_never_be_stored_is_rejected_for_good(store: Store, path: Path) -> None:
    async with opened(store) as (taken, _):
        answer = await send(taken, payload(1, name="x" * 2**21))
        assert answer == otlp.trace_response(1, "more than the store's --max-bytes 1048576 can hold")
        await send(taken, payload(2))
        assert Search(path).span_count() == 1


async def test_a_fault_in_the_collector_ends_one_batch_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> spans.Rows:
        raise ZeroDivisionError

    async with opened(store) as (taken, lines):
        with monkeypatch.context() as broken:
            broken.setattr(spans, "rows", fail)
            with pytest.raises(Overloaded, match="a fault in the collector: ZeroDivisionError"):
                await send(taken, payload(1))
        await send(taken, payload(1))
        assert taken.counts.spans == 1
    assert lines == [("error", "spans were not stored because of a fault in the collector")]


async def test_a_damaged_file_is_set_aside_and_the_spans_are_stored(store: Store, path: Path) -> None:
    async with opened(store) as (taken, lines):
        for trace in range(1, 50):
            await send(taken, payload(trace, name="x" * 500))
        store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        store._database.execute("PRAGMA shrink_memory").fetchall()
        await send(taken, payload(99))
        assert Search(path).span_count() == 1
    assert store.aside is not None
    assert store.aside.exists()
    assert [level for level, _ in lines] == ["error"]
    assert lines[0][1].endswith(f"set aside as {store.aside}; going on with an empty store")


async def test_metrics_and_logs_are_counted(store: Store) -> None:
    async with opened(store) as (taken, _):
        body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}'
        await taken.take(otlp.LOGS, body, otlp.Encoding.JSON)
        body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{}]}}]}]}]}'
        await taken.take(otlp.METRICS, body, otlp.Encoding.JSON)
        assert (taken.counts.metrics, taken.counts.logs) == (1, 2)
