"""Keeps spans in one SQLite file, bounded by size and age. The one writer; readers are in ``search``.

Nothing here is asynchronous and nothing is safe for two threads: ``intake`` calls it from its own thread. Spans leave
oldest first and by whole traces. What fails here is a ``StoreError``; which of them says what the sender should do.
"""

import contextlib
import hashlib
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from gossamer_mesh.collect import schema
from gossamer_mesh.collect.spans import Process, SpanRow
from gossamer_mesh.errors import Problem

MIN_BYTES: Final = 2**20
"""The smallest bound of a store."""

_TRIM_ROWS: Final = 2000  # spans looked at in one step of trimming: bounds the transaction
_FULL: Final = 0.9  # trimming starts above this share of the bound ...
_ROOMY: Final = 0.87  # ... and ends below this one, soon, as senders wait meanwhile
_CACHED_IDS: Final = 10_000
_DISK_SLACK: Final = 2**20  # with less than this beside what was to be written, it is the disk that is full

_INSERT_SPAN: Final = (
    "INSERT OR IGNORE INTO span"
    " (received, trace_id, span_id, parent_id, process, operation, start, duration, failed, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLDEST: Final = "SELECT trace_id, received, length(body) * 5 / 4 + 200 FROM span ORDER BY id LIMIT ?"  # with overhead


class StoreError(Exception):
    """Spans could not be stored.

    StoreError
    ├── Unavailable   not now (disk full, file locked, log too long): the sender may try again
    ├── TooLarge      never: these spans alone exceed the store's bound
    └── Damaged       the file is not sound: ``Store.start_over``, then try again
    """


class Unavailable(StoreError):  # noqa: N818 - an adjective of the store, as gRPC's status has it
    """The disk is full or fails, or another program holds the file."""


class TooLarge(StoreError):  # noqa: N818 - an adjective of the spans
    """The spans don't fit into an empty store of this bound."""


class Damaged(StoreError):  # noqa: N818 - an adjective of the file
    """SQLite found the file malformed."""


class Store:
    """One SQLite file of spans. Use as a context manager.

    Args:
        path: the file; its log (``-wal``, ``-shm``) and its lock (``.lock``) stand beside it.
        max_bytes: bound of the file; the log beside it has a few MiB, and never more than ``schema.MAX_LOG_BYTES`` and
            one transaction.
        max_age: seconds after which a span leaves, counted from its arrival.

    Raises:
        Problem: the file can't be opened, or another program uses it.
    """

    def __init__(self, path: Path, *, max_bytes: int, max_age: float) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.aside: Path | None = None
        """Where the file that was found unsound lies now."""
        self._processes: dict[Process, int] = {}
        self._operations: dict[tuple[str, str, str], int] = {}
        self._lock = schema.lock(path)
        try:
            self._database = self._open()
            self._is_open = True
            self._give_back()
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, StoreError):
                raise Problem(f"--store {error}: free the disk, or pass another path") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the log back into the file and let go of it."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        os.close(self._lock)

    def start_over(self) -> None:
        """Set a damaged file aside and go on with an empty one.

        Raises:
            Unavailable: not now; the next ``append`` or ``trim`` opens what is there then.
        """
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        self._is_open = False
        self._forget_ids()
        try:
            self.aside = schema.set_aside(self.path)
        except Problem as error:
            raise Unavailable(str(error)) from error
        self._ensure_open()

    def append(self, rows: Sequence[SpanRow], *, now: float | None = None) -> int:
        """Store spans, all or none; one that is there already is left as it is.

        Returns:
            how many were new.

        Raises:
            StoreError: nothing was stored.
        """
        received = int(time.time() if now is None else now)
        size = sum(len(row.body) for row in rows)
        self._ensure_open()
        for level in (math.inf, self.max_bytes * _ROOMY - 2 * size, 0):  # as it is; with room for them; empty
            self._shrink_to(level)
            try:
                with self._transaction():
                    return self._insert(rows, received)
            except Unavailable as error:
                if not self._bound_was_reached(error, size):
                    raise
                if size > self.max_bytes:
                    break
        raise TooLarge(f"{len(rows)} spans are more than --max-bytes {self.max_bytes} can hold")

    def trim(self, *, now: float | None = None) -> int:
        """Remove what is too old, then the oldest traces until the file is well within its bound.

        Returns:
            how many spans left.

        Raises:
            StoreError: the file can't be written.
        """
        horizon = (time.time() if now is None else now) - self.max_age
        removed = 0
        self._ensure_open()
        while step := self._remove_oldest(horizon=horizon):
            removed += step
        if self.is_crowded:
            removed += self._shrink_to(self.max_bytes * _ROOMY)
        if removed:
            self._remove_unused()
        return removed

    @property
    def is_crowded(self) -> bool:
        """Whether the oldest spans have to leave soon."""
        return self.used_bytes > self.max_bytes * _FULL

    @property
    def has_long_log(self) -> bool:
        """Whether the log has to be written back before anything else is stored; ``trim`` does."""
        return schema.log_bytes(self.path) > schema.MAX_LOG_BYTES

    @property
    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * schema.PAGE_BYTES

    def _insert(self, rows: Sequence[SpanRow], received: int) -> int:
        values = [
            (
                received,
                row.trace_id,
                row.span_id,
                row.parent_id,
                self._process_id(row.process),
                self._operation_id(row),
                row.start,
                row.duration,
                row.failed,
                row.body,
            )
            for row in rows
        ]
        return max(0, self._database.executemany(_INSERT_SPAN, values).rowcount)

    def _process_id(self, process: Process) -> int:
        known = self._processes.get(process)
        if known is None:
            digest = hashlib.sha256(f"{process.service}\0{process.tags}".encode()).digest()
            self._database.execute(
                "INSERT OR IGNORE INTO process (digest, service, tags) VALUES (?, ?, ?)",
                (digest, process.service, process.tags),
            )
            found = self._database.execute("SELECT id FROM process WHERE digest = ?", (digest,))
            known = self._processes[process] = int(found.fetchone()[0])
        return known

    def _operation_id(self, row: SpanRow) -> int:
        key = (row.process.service, row.name, row.kind)
        known = self._operations.get(key)
        if known is None:
            self._database.execute("INSERT OR IGNORE INTO operation (service, name, kind) VALUES (?, ?, ?)", key)
            found = self._database.execute("SELECT id FROM operation WHERE service = ? AND name = ? AND kind = ?", key)
            known = self._operations[key] = int(found.fetchone()[0])
        return known

    def _shrink_to(self, level: float) -> int:
        """Remove the oldest traces until no more than ``level`` bytes are used; say how many spans left."""
        removed = 0
        while (excess := self.used_bytes - level) > 0 and (step := self._remove_oldest(excess=excess)):
            removed += step
        return removed

    def _remove_oldest(self, *, excess: float = math.inf, horizon: float = math.inf) -> int:
        """Remove the traces of the oldest spans: of so many bytes, and that came before the horizon.

        One step of many, to keep the transaction small; says how many spans left, and 0 when there is no more to do.
        """
        with self._transaction():
            traces = set()
            for trace_id, received, size in self._database.execute(_OLDEST, (_TRIM_ROWS,)):
                if received >= horizon or excess <= 0:
                    break
                traces.add(trace_id)
                excess -= size
            leaving = [(trace_id,) for trace_id in traces]
            return max(0, self._database.executemany("DELETE FROM span WHERE trace_id = ?", leaving).rowcount)

    def _remove_unused(self) -> None:
        with self._transaction():
            self._database.execute("DELETE FROM process WHERE id NOT IN (SELECT process FROM span)")
            self._database.execute("DELETE FROM operation WHERE id NOT IN (SELECT operation FROM span)")
        self._forget_ids()

    def _pragma(self, name: str) -> int:
        try:
            return int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
        except sqlite3.Error as error:
            raise self._translated(error) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._shorten_log()
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise self._translated(error) from error
            raise
        if len(self._processes) + len(self._operations) > _CACHED_IDS:
            self._forget_ids()

    def _shorten_log(self) -> None:
        """Write a long log back into the file. Whoever reads it hinders that; our own readers give way (``search``)."""
        if not self.has_long_log:
            return
        busy, _, _ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable(f"{self.path}: its log has grown too long, and can't shrink while the file is being read")

    def _roll_back(self) -> None:
        self._forget_ids()
        if self._database.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    def _forget_ids(self) -> None:
        self._processes.clear()
        self._operations.clear()

    def _translated(self, error: sqlite3.Error) -> StoreError:
        kind = Damaged if schema.is_unsound(error) else Unavailable
        return kind(f"{self.path}: {error}")

    def _bound_was_reached(self, error: Unavailable, size: int) -> bool:
        """Tells our own bound from a full disk: SQLite has one code for both."""
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or schema.code_of(cause) != sqlite3.SQLITE_FULL:
            return False
        return shutil.disk_usage(self.path.parent).free > size + _DISK_SLACK

    def _give_back(self) -> None:
        """Shorten a file that was made under a higher bound."""
        if self._pragma("page_count") * schema.PAGE_BYTES <= self.max_bytes:
            return
        try:
            self._shrink_to(self.max_bytes * _ROOMY)
            self._remove_unused()
            self._database.executescript("PRAGMA incremental_vacuum")  # execute would free one page only
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._database.execute(f"PRAGMA max_page_count = {self.max_bytes // schema.PAGE_BYTES}").fetchall()
        except (StoreError, sqlite3.Error):
            self.start_over()

    def _ensure_open(self) -> None:
        if self._is_open:
            return
        try:
            self._database = self._open()
        except Problem as error:
            raise Unavailable(str(error)) from error
        self._is_open = True

    def _open(self) -> sqlite3.Connection:
        try:
            return schema.open_writer(self.path, self.max_bytes)
        except schema.UnsoundError:
            self.aside = schema.set_aside(self.path)
            return schema.open_writer(self.path, self.max_bytes)
