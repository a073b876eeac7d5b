"""The store keeps spans once, within its bounds, and never loses a file that it can't read."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer_mesh.collect import schema
from gossamer_mesh.collect.search import Search
from gossamer_mesh.collect.store import Damaged, Store, TooLarge, Unavailable
from gossamer_mesh.errors import Problem

from .conftest import MakeSpan, _make_span

MIB = 2**20
NOW = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spans.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, max_bytes=4 * MIB, max_age=100) as store:
        yield store


def count(path: Path) -> int:
    return Search(path).span_count()


def test_a_span_is_stored_once(store: Store, path: Path, make_span: MakeSpan) -> None:
    assert store.append([make_span(1, 1), make_span(1, 2)]) == 2
    assert store.append([make_span(1, 2), make_span(1, 3)]) == 1
    assert count(path) == 3


def test_one_id_of_two_services_is_two_spans(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1, service="orders"), make_span(1, 1, service="catalog")])
    assert count(path) == 2


def test_spans_outlive_the_process(path: Path, make_span: MakeSpan) -> None:
    with Store(path, max_bytes=MIB, max_age=100) as store:
        store.append([make_span()])
    with Store(path, max_bytes=MIB, max_age=100):
        assert count(path) == 1


def test_a_span_leaves_when_its_age_is_over(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1)], now=NOW)
    store.append([make_span(2, 1)], now=NOW + 50)
    assert store.trim(now=NOW + 100) == 0
    assert store.trim(now=NOW + 101) == 1
    assert count(path) == 1


def test_services_and_operations_leave_with_their_last_span(store: Store, path: Path, make_span: MakeSpan) -> None:
    store.append([make_span(1, 1, service="old")], now=NOW)
    store.append([make_span(2, 1, service="new")], now=NOW + 50)
    store.trim(now=NOW + 101)
    assert Search(path).services() == ["new"]
    assert store.append([make_span(3, 1, service="old")], now=NOW + 101) == 1
    assert Search(path).services() == ["new", "old"]


def test_a_crowded_store_lets_the_oldest_traces_go_whole(path: Path, make_span: MakeSpan) -> None:
    with Store(path, max_bytes=MIB, max_age=10**6) as store:
        store.append([make_span(1, 1)], now=NOW)  # the rest of trace 1 comes last, and yet it goes first
        for trace in range(2, 2000):
            store.append([make_span(trace, span, padding="x" * 400) for span in (1, 2)], now=NOW)
            store.append([make_span(1, trace)], now=NOW)
            if store.is_crowded:
                store.trim(now=NOW)
                break
        kept = {trace_id: sum(1 for _ in group) for trace_id, group in _spans_by_trace(path).items()}
    assert set(kept.values()) == {2}
    assert 1 not in kept
    assert trace in kept


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    max_bytes=st.integers(MIB, 2 * MIB),
    batches=st.lists(st.tuples(st.integers(1, 120), st.integers(0, 9000)), min_size=1, max_size=25),
)
def test_the_file_never_exceeds_its_bound_and_the_newest_spans_are_there(
    tmp_path_factory: pytest.TempPathFactory, max_bytes: int, batches: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("bounds") / "spans.db"
    sizes = {}
    with Store(path, max_bytes=max_bytes, max_age=10**6) as store:
        for trace, (spans, padding) in enumerate(batches, start=1):
            rows = [_make_span(trace, span, padding="x" * padding) for span in range(1, spans + 1)]
            try:
                assert store.append(rows, now=NOW) == spans
            except TooLarge:
                assert spans * padding > max_bytes / 3  # nothing smaller may be refused
                continue
            sizes[trace] = spans
            store.trim(now=NOW)
            assert path.stat().st_size <= max_bytes
            kept = {trace_id: len(group) for trace_id, group in _spans_by_trace(path).items()}
            if spans * padding < max_bytes / 3:
                assert trace in kept
            assert kept.items() <= sizes.items()  # what is there is whole
        assert store.trim(now=NOW + 10**6 + 1) == sum(kept.values() if sizes else [])
        assert count(path) == 0


def test_more_than_the_bound_is_refused_and_the_store_goes_on(path: Path, make_span: MakeSpan) -> None:
    with Store(path, max_bytes=MIB, max_age=100) as store:
        with pytest.raises(TooLarge, match="1 spans are more than --max-bytes 1048576 can hold"):
            store.append([make_span(1, 1, padding="x" * 2 * MIB)])
        assert store.append([make_span(2, 1)]) == 1


def test_a_lower_bound_shrinks_the_file_of_before(path: Path, make_span: MakeSpan) -> None:
    with Store(path, max_bytes=4 * MIB, max_age=10**6) as store:
        store.append([make_span(span, 1, padding="x" * 1000) for span in range(2000)], now=NOW)
    assert path.stat().st_size > 2 * MIB
    with Store(path, max_bytes=MIB, max_age=10**6) as store:
        store.append([make_span(5000, 1)], now=NOW)
        store.trim(now=NOW)
    assert path.stat().st_size <= MIB
    assert count_after_close(path) > 500


def test_a_file_that_is_no_database_is_set_aside(path: Path, make_span: MakeSpan) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but somebody's file" * 100)
    with Store(path, max_bytes=MIB, max_age=100) as store:
        assert store.aside is not None
        assert store.aside.read_bytes().startswith(b"not a database")
        assert store.append([make_span()]) == 1


def test_a_store_of_another_version_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("CREATE TABLE later (id)")
    database.close()
    with Store(path, max_bytes=MIB, max_age=100) as store:
        assert store.aside is not None


def test_damage_found_while_writing_is_told_apart_and_mended(path: Path, make_span: MakeSpan) -> None:
    with Store(path, max_bytes=4 * MIB, max_age=10**6) as store:
        store.append([make_span(trace, 1, padding="x" * 500) for trace in range(500)], now=NOW)
    _scribble_over(path)
    with Store(path, max_bytes=4 * MIB, max_age=10**6) as store:
        with pytest.raises(Damaged):
            store.append([make_span(trace, 2) for trace in range(500)], now=NOW)
        store.start_over()
        assert store.append([make_span(1, 1)], now=NOW) == 1


def test_a_damaged_file_that_cannot_be_moved_stays_until_it_can(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, __: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system")

    store.append([make_span(1, 1)])
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fail)
        with pytest.raises(Unavailable, match=r"can't be set aside \(Read-only file system\)"):
            store.start_over()
    assert store.append([make_span(2, 1)]) == 1
    assert count(path) == 2


@pytest.mark.parametrize(("bound", "is_kept"), [(MIB, True), (100 * MIB, False)])
def test_an_open_reader_cannot_make_the_log_grow_beyond_its_bound(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch, bound: int, is_kept: bool
) -> None:
    monkeypatch.setattr(schema, "MAX_LOG_BYTES", bound)
    store.append([make_span(1, 1)])
    longest = 0
    with _reading(path):
        for trace in range(2, 12):
            with contextlib.suppress(Unavailable):
                store.append([make_span(trace, 1, padding="x" * 200_000)])
            longest = max(longest, schema.log_bytes(path))
    assert (longest <= MIB + 300_000) is is_kept


def test_a_log_that_a_reader_kept_long_shrinks_when_nobody_reads(
    store: Store, path: Path, make_span: MakeSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MAX_LOG_BYTES", MIB)
    store.append([make_span(1, 1)])
    with _reading(path):
        store.append([make_span(2, 1, padding="x" * 2 * MIB)])
        with pytest.raises(Unavailable, match="its log has grown too long, and can't shrink while the file is being"):
            store.append([make_span(3, 1)])
    assert store.append([make_span(3, 1)]) == 1
    assert schema.log_bytes(path) < MIB


def test_a_second_collector_on_one_file_is_refused(store: Store, path: Path) -> None:
    with pytest.raises(Problem, match="another collector uses it: stop that one, or pass another path"):
        Store(path, max_bytes=MIB, max_age=100)
    assert store.used_bytes > 0


def test_a_file_locked_by_another_program_makes_senders_come_again(
    store: Store, path: Path, make_span: MakeSpan
) -> None:
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        store.append([make_span()])
    foreign.execute("ROLLBACK")
    foreign.close()
    assert store.append([make_span()]) == 1


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=r"--store .*: can't be written \(.*\): pass a path in a folder of your own"):
        Store(tmp_path / "file" / "spans.db", max_bytes=MIB, max_age=100)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Another program that keeps what it saw at the beginning."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM span").fetchone()
        yield


def _spans_by_trace(path: Path) -> dict[int, list[bytes]]:
    groups: dict[int, list[bytes]] = {}
    database = sqlite3.connect(path)
    for trace_id, span_id in database.execute("SELECT trace_id, span_id FROM span"):
        groups.setdefault(int.from_bytes(trace_id, "big"), []).append(span_id)
    database.close()
    return groups


def count_after_close(path: Path) -> int:
    return sum(map(len, _spans_by_trace(path).values()))


def _scribble_over(path: Path) -> None:
    """Overwrite all pages but the first few, which hold the tables' definitions."""
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(os.urandom(path.stat().st_size - 8 * 4096))
