"""Opens the store's SQLite file: its tables, its settings, and what happens when the file is not sound."""

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from gossamer_mesh.errors import Problem

VERSION: Final = 1
"""In the file's ``user_version``. A file with another one is set aside, as a damaged one is."""

PAGE_BYTES: Final = 4096
LOG_BYTES: Final = 4 * 2**20
"""What the write-ahead log shrinks to after each checkpoint."""

MAX_LOG_BYTES: Final = 32 * 2**20
"""Beyond this, questions that keep the log from shrinking are ended, and nothing is stored until it has shrunk."""

_BUSY_SECONDS: Final = 0.25
_UNSOUND: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE process (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    service TEXT NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE operation (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    UNIQUE (service, name, kind)
);
CREATE TABLE span (
    id INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    trace_id BLOB NOT NULL,
    span_id BLOB NOT NULL,
    parent_id BLOB NOT NULL,
    process INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    start INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (trace_id, span_id, process)
);
CREATE INDEX span_search ON span (start, operation, duration, trace_id);
PRAGMA user_version = 1;
COMMIT;
"""


class UnsoundError(Exception):
    """The file is no database of ours: malformed, or of another version."""


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if Python's module raised on its own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_unsound(error: sqlite3.Error) -> bool:
    """Tell whether SQLite found the file malformed."""
    return code_of(error) in _UNSOUND


def open_writer(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open the file to write, and create its tables if it is new.

    Raises:
        UnsoundError: it is no database of ours.
        Problem: it can't be opened, or another program holds it.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise _problem(path, error) from error
    try:
        _prepare(database, max_bytes)
    except sqlite3.Error as error:
        database.close()
        if is_unsound(error):
            raise UnsoundError(str(error)) from error
        raise _problem(path, error) from error
    except UnsoundError:
        database.close()
        raise
    return database


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file to read only; a writer has it open already."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    database.execute("PRAGMA query_only = 1")
    return database


def log_bytes(path: Path) -> int:
    """Tell how long the write-ahead log beside the file is."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:  # there is none; or the disk fails, and then whoever writes to it hears so
        return 0


def set_aside(path: Path) -> Path:
    """Move a file that is not sound out of the way, with its log, and say where to.

    Raises:
        Problem: the folder can't be written.
    """
    aside = path.with_name(f"{path.name}.unsound-{time.strftime('%Y%m%dT%H%M%S')}-{time.monotonic_ns() % 10**6:06}")
    try:
        for suffix in ("-shm", "-wal", ""):  # a log that stayed behind would be written into the next file
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        reason = f"is damaged and can't be set aside ({error.strerror})"
        raise Problem(f"--store {path}: {reason}: make its folder writable, or pass another path") from error
    return aside


def lock(path: Path) -> int:
    """Take the file for this process; another collector on the same file would undo what this one keeps.

    Returns:
        the descriptor that holds the lock.

    Raises:
        Problem: the folder can't be written, or another collector uses the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Problem(
            f"--store {path}: can't be written ({error.strerror}): pass a path in a folder of your own"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Problem(f"--store {path}: another collector uses it: stop that one, or pass another path") from error
    return descriptor


def _prepare(database: sqlite3.Connection, max_bytes: int) -> None:
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}").fetchone()
    database.execute("PRAGMA cache_size = -8192")
    database.execute(f"PRAGMA max_page_count = {max_bytes // PAGE_BYTES}").fetchone()
    version = database.execute("PRAGMA user_version").fetchone()[0]
    empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if version == 0 and empty:
        database.executescript(_TABLES)
    elif version != VERSION:
        raise UnsoundError(f"expected version {VERSION} of the store, found {version}")


def _problem(path: Path, error: sqlite3.Error) -> Problem:
    if code_of(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Problem(f"--store {path}: another program holds it locked: close that one, or pass another path")
    return Problem(f"--store {path}: can't be opened ({error}): free the disk, or pass another path")
