"""Questions to a real store are answered newest first, by every condition, within bounds."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer_mesh.collect import jaeger, schema, search
from gossamer_mesh.collect.search import Search, SearchError
from gossamer_mesh.collect.store import Store

from .conftest import MakeSpan


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, max_bytes=2**22, max_age=10**9) as store:
        yield store


def found(path: Path, **conditions: Any) -> list[int]:
    """The numbers of the traces that are found."""
    query = jaeger.TraceQuery(**{"start": 0, "end": 10**9} | conditions)
    return [int(json.loads(trace)["traceID"], 16) for trace in Search(path).traces(query).traces]


def test_traces_come_newest_first_and_as_many_as_asked(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(trace, span, start=1000 * trace + span) for trace in (2, 3, 1) for span in (1, 2)])
    assert found(path) == [3, 2, 1]
    assert found(path, limit=2) == [3, 2]


def test_each_condition_selects(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append(
        [
            make_span(1, 1, service="orders", name="Place", start=100, duration=10),
            make_span(2, 1, service="orders", name="Get", start=200, duration=20),
            make_span(3, 1, service="catalog", name="Get", start=300, duration=30, tags={"id": "p1"}),
        ]
    )
    assert found(path, service="orders") == [2, 1]
    assert found(path, operation="Get") == [3, 2]
    assert found(path, service="orders", operation="Get") == [2]
    assert found(path, service="nobody") == []
    assert found(path, start=200, end=200) == [2]
    assert found(path, min_duration=20) == [3, 2]
    assert found(path, max_duration=20) == [2, 1]
    assert found(path, tags={"id": "p1"}) == [3]


def test_tags_are_found_whatever_their_letters(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1, tags={"größe": "25 µm"}), make_span(2, 1, tags={"span.kind": "server"})])
    assert found(path, tags={"größe": "25 µm"}) == [1]
    assert found(path, tags={"span.kind": "SERVER"}) == [2]
    assert found(path, tags={"größe": "25 \\"}) == []
    assert sorted(found(path, tags={"error": "false"})) == [1, 2]


def test_one_span_has_to_meet_all_conditions(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1, service="orders"), make_span(1, 2, service="catalog", tags={"id": "p1"})])
    assert found(path, service="orders", tags={"id": "p1"}) == []
    assert found(path, service="catalog", tags={"id": "p1"}) == [1]


def test_a_found_trace_is_whole(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1, service="orders"), make_span(1, 2, service="catalog", start=5)])
    (trace,) = Search(path).traces(jaeger.TraceQuery(start=1000, end=1000)).traces
    assert [span["spanID"] for span in json.loads(trace)["spans"]] == ["0000000000000002", "0000000000000001"]


def test_a_prefix_finds_the_ids_that_begin_so(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(0xAB << 120, 1, start=1), make_span(0xAC << 120, 1, start=2)])
    assert found(path, prefix="a") == [0xAC << 120, 0xAB << 120]
    assert found(path, prefix="ab") == [0xAB << 120]
    assert found(path, prefix="b") == []


def test_ids_that_are_not_there_are_named_beside_those_that_are(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1)])
    ids = [(1).to_bytes(16, "big"), (0xFF).to_bytes(16, "big")]
    answer = Search(path).traces(jaeger.TraceQuery(start=0, end=0, trace_ids=ids))
    assert len(answer.traces) == 1
    assert answer.errors == [{"msg": "trace not found", "traceID": "00000000000000ff"}]


def test_services_and_operations_are_listed_in_order(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append(
        [
            make_span(1, 1, service="orders", name="Place", kind="server"),
            make_span(1, 2, service="orders", name="Get", kind="client"),
            make_span(1, 3, service="catalog", name="Get", kind="server"),
        ]
    )
    assert Search(path).services() == ["catalog", "orders"]
    assert Search(path).operations("orders") == [("Get", "client"), ("Place", "server")]
    assert Search(path).operations("orders", "server") == [("Place", "server")]
    assert Search(path).operations("nobody") == []


def test_dependencies_count_calls_between_services(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append(
        [
            make_span(1, 1, service="orders", kind="server"),
            make_span(1, 2, service="orders", kind="client", parent=1),  # inside orders: no call
            make_span(1, 3, service="catalog", kind="server", parent=2),
            make_span(2, 4, service="orders", kind="client"),
            make_span(2, 5, service="catalog", kind="server", parent=4),
            make_span(3, 6, service="orders", kind="client"),
            make_span(3, 7, service="orders", kind="server", parent=6),  # orders calls orders
            make_span(4, 8, service="tax", kind="server", parent=99),  # its caller is not here
            make_span(5, 9, service="orders", kind="client", start=1),
            make_span(5, 10, service="tax", kind="server", parent=9, start=1),  # before the window
        ]
    )
    assert Search(path).dependencies(1000, 1000) == [("orders", "catalog", 2), ("orders", "orders", 1)]


def test_a_trace_with_too_many_spans_is_cut_and_says_so(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_SPANS", 3)
    store.append([make_span(1, span) for span in range(1, 6)])
    trace = json.loads(Search(path).trace((1).to_bytes(16, "big")) or "")
    assert len(trace["spans"]) == 3
    assert trace["warnings"] == ["only the first 3 spans are shown"]


def test_an_answer_that_grows_too_large_is_cut_and_says_so(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_ANSWER", 1000)
    store.append([make_span(trace, 1, padding="x" * 600) for trace in range(1, 6)])
    answer = Search(path).traces(jaeger.TraceQuery(start=0, end=10**9))
    assert len(answer.traces) == 2
    assert answer.errors == [{"msg": "the answer is cut at 1000 bytes: ask for fewer traces"}]


def test_a_question_that_takes_too_long_is_given_up(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make_span(trace, 1) for trace in range(1, 2000)])
    question = jaeger.TraceQuery(start=0, end=10**9, tags={"no": "such"})
    assert Search(path).traces(question).traces == []  # the control: with its time it answers
    monkeypatch.setattr(search, "DEADLINE", 0.0)
    with pytest.raises(SearchError, match="no answer within 0 s: ask for a shorter time or fewer traces"):
        Search(path).traces(question)


def test_a_file_that_cannot_be_read_is_told(path: Path) -> None:
    with pytest.raises(SearchError, match="the store can't be read: unable to open database file"):
        Search(path).services()


def test_reading_writes_nothing(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span()])
    with Search(path)._asking() as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("DELETE FROM span")


@pytest.mark.parametrize(("bound", "ends"), [(2**20, True), (2**30, False)])
def test_a_long_question_gives_way_when_the_log_has_grown_too_long(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch, bound: int, ends: bool
) -> None:
    monkeypatch.setattr(schema, "MAX_LOG_BYTES", bound)
    store.append([make_span(1, 1)])

    def grow() -> int:
        return store.append([make_span(2, 1, padding="x" * 2**21)])

    def ask() -> None:
        with Search(path)._asking() as database:
            database.create_function("grow", 0, grow)
            database.execute(f"SELECT grow() FROM span WHERE ({_COUNT}) > 0").fetchall()
            database.execute(_COUNT).fetchall()

    if ends:
        with pytest.raises(SearchError, match="gave way to spans that have to be stored"):
            ask()
        assert store.append([make_span(3, 1)]) == 1
        assert schema.log_bytes(path) < bound
    else:
        ask()


_COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT count(*) FROM n"
