"""A sender is answered when its spans are stored; what can't be stored is given back, never kept in memory."""

import asyncio
import contextlib
import errno
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from gossamer_mesh.collect import intake, otlp, schema, spans
from gossamer_mesh.collect.intake import Intake, Overloaded
from gossamer_mesh.collect.search import Search
from gossamer_mesh.collect.store import Damaged, Store, Unavailable
from gossamer_mesh.errors import Problem

DEADLINE = 10.0


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
    async with Intake(store, lines, on_failure=lambda: None) as taken:
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


def damage(store: Store) -> None:
    """Fill it, overwrite all pages but the first, and have SQLite forget those it knows."""
    for trace in range(1, 50):
        store.append(spans.rows(otlp.decode(otlp.TRACES, payload(trace, name="x" * 500), otlp.Encoding.PROTOBUF)).spans)
    store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (store.path.stat().st_size - 4096))
    store._database.execute("PRAGMA shrink_memory").fetchall()


async def test_a_damaged_file_is_set_aside_and_the_spans_are_stored(store: Store, path: Path) -> None:
    damage(store)
    async with opened(store) as (taken, lines):
        await send(taken, payload(99))
        assert Search(path).span_count() == 1
    assert store.aside is not None
    assert store.aside.exists()
    assert [level for level, _ in lines] == ["error"]
    assert lines[0][1].endswith(f"set aside as {store.aside}; going on with an empty store")


async def test_an_empty_store_that_cannot_be_begun_is_begun_later(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, _: int) -> sqlite3.Connection:
        raise Problem(f"--store {path}: the disk is full")

    damage(store)
    async with opened(store) as (taken, lines):
        with monkeypatch.context() as broken:
            broken.setattr(schema, "open_writer", fail)
            with pytest.raises(Overloaded, match="the disk is full"):
                await send(taken, payload(2))
        await send(taken, payload(3))
        assert Search(path).span_count() == 1
    assert ("info", "spans are stored again") in lines
    assert f"set aside as {store.aside}" in lines[1][1]


async def test_trimming_that_fails_does_not_end_the_writer(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def fail() -> int:
        tried.set()
        raise Damaged("malformed")

    def fail_too() -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(store, "trim", fail)
    monkeypatch.setattr(store, "start_over", fail_too)
    async with opened(store) as (taken, _):
        await send(taken, payload(1))
        assert await asyncio.to_thread(tried.wait, DEADLINE)
        await send(taken, payload(2))
        assert Search(path).span_count() == 2


async def test_a_log_that_cannot_be_written_does_not_end_the_writer(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail(_: object) -> spans.Rows:
        raise ZeroDivisionError

    async with Intake(store, log, on_failure=pytest.fail) as taken:
        with monkeypatch.context() as broken:
            broken.setattr(spans, "rows", fail)
            with pytest.raises(Overloaded):
                await send(taken, payload(1))
        await send(taken, payload(2))
        assert Search(path).span_count() == 1


async def test_a_writer_that_ends_says_so_and_turns_senders_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    failed, lines = asyncio.Event(), Lines()
    async with Intake(store, lines, on_failure=failed.set) as taken:
        assert not taken.has_failed  # the control
        monkeypatch.setattr(taken, "_trim", fail)
        await send(taken, payload(1))
        await asyncio.wait_for(failed.wait(), DEADLINE)
        assert taken.has_failed
        with pytest.raises(Overloaded):
            await send(taken, payload(2))
    assert lines == [("error", "the collector ends because of a fault in its writer")]


async def test_metrics_and_logs_wait_in_the_same_queue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"resourceLogs":[]}'
    async with opened(store) as (taken, _):
        await taken.take(otlp.LOGS, body, otlp.Encoding.JSON)  # the control: there is room
        monkeypatch.setattr(intake, "MAX_WAITING", 10)
        with pytest.raises(Overloaded):
            await taken.take(otlp.LOGS, body, otlp.Encoding.JSON)


@pytest.mark.parametrize(("places", "turned_away"), [(1, 1), (2, 0)])
async def test_a_body_that_does_not_arrive_turns_away_those_without_a_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, places: int, turned_away: int
) -> None:
    monkeypatch.setattr(intake, "ARRIVALS", places)
    async with opened(store) as (taken, _), taken.arrival():
        monkeypatch.setattr(intake, "ARRIVAL_SECONDS", 0.05)
        with contextlib.suppress(Overloaded):
            async with taken.arrival():
                pass
        assert taken.counts.turned_away == turned_away


async def test_metrics_and_logs_are_counted(store: Store) -> None:
    async with opened(store) as (taken, _):
        body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}'
        await taken.take(otlp.LOGS, body, otlp.Encoding.JSON)
        body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{}]}}]}]}]}'
        await taken.take(otlp.METRICS, body, otlp.Encoding.JSON)
        assert (taken.counts.metrics, taken.counts.logs) == (1, 2)
