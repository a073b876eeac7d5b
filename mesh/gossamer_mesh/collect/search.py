"""Reads the store: each question opens the file, asks under a deadline, and closes it. Never writes.

Every answer is bounded: in traces by the question, in spans a trace and in bytes by this file. While a question is
open, the writer's log can't shrink; one that is still open when the log has grown too long is ended.
"""

import contextlib
import functools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer_mesh.collect import jaeger, schema

MAX_SPANS: Final = 10_000
"""Spans of one trace in an answer."""

MAX_ANSWER: Final = 32 * 2**20
"""Bytes of spans in one answer."""

DEADLINE: Final = 10.0
"""Seconds that one question may take."""

_STEPS: Final = 10_000  # SQLite's virtual machine looks at the clock so often

_DEPENDENCIES: Final = """
SELECT above.service, own.service, count(*)
FROM span AS child INDEXED BY span_search
JOIN span AS parent ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_id
JOIN operation AS own ON own.id = child.operation
JOIN operation AS above ON above.id = parent.operation
WHERE child.start BETWEEN ? AND ?
  AND (own.service <> above.service OR (own.kind = 'server' AND above.kind = 'client'))
GROUP BY 1, 2 ORDER BY 1, 2
"""


class SearchError(Exception):
    """A question could not be answered: it took too long, kept the log too long, or the file can't be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Traces as Jaeger's JSON, newest first."""

    traces: Sequence[str]
    errors: Sequence[dict[str, str]]
    """What is missing from the answer, and why."""


class Search:
    """Questions to the store at ``path``. Its methods block: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def services(self) -> list[str]:
        """Name all services that have spans."""
        with self._asking() as database:
            return [name for (name,) in database.execute("SELECT DISTINCT service FROM operation ORDER BY 1")]

    def operations(self, service: str, kind: str = "") -> list[tuple[str, str]]:
        """Name a service's operations, each with its span kind."""
        with self._asking() as database:
            found = database.execute(
                "SELECT name, kind FROM operation WHERE service = ? AND (? = '' OR kind = ?) ORDER BY 1, 2",
                (service, kind, kind),
            )
            return found.fetchall()

    def trace(self, trace_id: bytes) -> str | None:
        """Give one trace, or None."""
        with self._asking() as database:
            return _Answer(database).trace(trace_id)

    def traces(self, query: jaeger.TraceQuery) -> Found:
        """Find the newest traces that the query describes."""
        with self._asking() as database:
            answer = _Answer(database)
            if query.trace_ids:
                found = [(trace_id, answer.trace(trace_id)) for trace_id in dict.fromkeys(query.trace_ids)]
                missing = [] if answer.errors else [jaeger.not_found(each) for each, trace in found if trace is None]
                return Found(traces=[trace for _, trace in found if trace], errors=missing + answer.errors)
            traces = [trace for each in _matching(database, query) if (trace := answer.trace(each))]
            return Found(traces=traces, errors=answer.errors)

    def dependencies(self, start: int, end: int) -> list[tuple[str, str, int]]:
        """Count calls from service to service, by spans that begin in a window (microseconds).

        A call is a span whose parent belongs to another service, or a server's whose parent is a client's.
        """
        with self._asking() as database:
            return database.execute(_DEPENDENCIES, (start, end)).fetchall()

    def span_count(self) -> int:
        """Count all spans."""
        with self._asking() as database:
            return int(database.execute("SELECT count(*) FROM span").fetchone()[0])

    @contextlib.contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + DEADLINE

        def is_over() -> bool:
            return time.monotonic() > deadline or schema.log_bytes(self._path) > schema.MAX_LOG_BYTES

        try:
            with contextlib.closing(schema.open_reader(self._path)) as database:
                database.set_progress_handler(is_over, _STEPS)
                database.execute("BEGIN")  # one snapshot for all statements of a question
                yield database
        except sqlite3.Error as error:
            if schema.code_of(error) == sqlite3.SQLITE_INTERRUPT:
                late = time.monotonic() > deadline
                found = f"no answer within {DEADLINE:.0f} s" if late else "gave way to spans that have to be stored"
                raise SearchError(f"{found}: ask for a shorter time or fewer traces") from error
            raise SearchError(f"the store can't be read: {error}") from error


class _Answer:
    """Collects traces until the answer is full."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._room = MAX_ANSWER
        self.errors: list[dict[str, str]] = []

    def trace(self, trace_id: bytes) -> str | None:
        if self._is_full():
            return None
        rows = self._database.execute(
            "SELECT body, process FROM span WHERE trace_id = ? ORDER BY start, id", (trace_id,)
        )
        spans: list[tuple[str, int]] = []
        for body, process in rows:
            if len(spans) == MAX_SPANS or self._is_full():
                return self._shown(trace_id, spans, f"only the first {len(spans)} spans are shown")
            spans.append((body, process))
            self._room -= len(body)
        return self._shown(trace_id, spans) if spans else None

    def _is_full(self) -> bool:
        if self._room <= 0 and not self.errors:
            self.errors.append({"msg": f"the answer is cut at {MAX_ANSWER} bytes: ask for fewer traces"})
        return self._room <= 0

    def _shown(self, trace_id: bytes, spans: list[tuple[str, int]], warning: str = "") -> str:
        keys = {process for _, process in spans}
        processes = {
            key: self._database.execute("SELECT service, tags FROM process WHERE id = ?", (key,)).fetchone()
            for key in keys
        }
        return jaeger.trace(trace_id, spans, processes, warning)


def _matching(database: sqlite3.Connection, query: jaeger.TraceQuery) -> list[bytes]:
    """Walk the spans from the newest, until enough different traces are found."""
    conditions = ["start BETWEEN ? AND ?"]
    values: list[object] = [query.start, query.end]
    if query.service or query.operation:
        conditions.append(
            "operation IN (SELECT id FROM operation WHERE (? = '' OR service = ?) AND (? = '' OR name = ?))"
        )
        values += [query.service, query.service, query.operation, query.operation]
    if query.min_duration:
        conditions.append("duration >= ?")
        values.append(query.min_duration)
    if query.max_duration:
        conditions.append("duration <= ?")
        values.append(query.max_duration)
    if query.prefix:
        conditions.append("trace_id BETWEEN ? AND ?")
        values += [bytes.fromhex(query.prefix.ljust(32, digit)) for digit in "0f"]
    if query.tags:
        database.create_function("carries", 2, functools.partial(jaeger.carries, query.tags), deterministic=True)
        for text in jaeger.words(query.tags):  # a quick look, since few spans have the words at all
            conditions.append("(instr(body, ?) OR instr((SELECT tags FROM process WHERE id = span.process), ?))")
            values += [text, text]
        conditions.append("carries(body, (SELECT tags FROM process WHERE id = span.process))")
    statement = f"SELECT trace_id FROM span INDEXED BY span_search WHERE {' AND '.join(conditions)} ORDER BY start DESC"  # noqa: S608 - the conditions are the constants above
    found: dict[bytes, None] = {}
    for (trace_id,) in database.execute(statement, values):
        found[trace_id] = None
        if len(found) == query.limit:
            break
    return list(found)
