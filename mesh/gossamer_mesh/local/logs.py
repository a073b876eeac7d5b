"""The log files of a stack: kept small, and read from the end or as they grow."""

import asyncio
import contextlib
import os
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path

LARGEST = 8 * 1024 * 1024
LOOK_S = 5.0


async def keep_bounded(folder: Path) -> None:
    """Keep every log file under LARGEST bytes for as long as it runs; the part before goes to NAME.log.1.

    Processes write to their files themselves, so that none is lost or stuck when the supervisor dies; a file is
    therefore copied and emptied, never moved. A file that can't be cut now (it has gone, or the disk is full) is looked
    at again the next time.
    """
    while True:
        await asyncio.sleep(LOOK_S)
        for path in folder.glob("*.log"):
            with contextlib.suppress(OSError):
                if path.stat().st_size > LARGEST:
                    await asyncio.to_thread(_cut, path)


def _cut(path: Path) -> None:
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last(path: Path, count: int) -> list[str]:
    """Give the last lines of a log, those cut away lately included."""
    lines: deque[str] = deque(maxlen=count)
    for each in (path.with_name(f"{path.name}.1"), path):
        if each.is_file():
            with each.open(encoding="utf-8", errors="replace") as file:
                lines.extend(line.rstrip("\n") for line in file)
    return list(lines)


class Follower:
    """Gives what is appended to a log, whole lines only, also across a cut.

    Args:
        path: the log, whether or not it is there yet.
        whole: give what it holds already as well.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path = path
        self._position = path.stat().st_size if path.is_file() and not whole else 0
        self._rest = b""

    def new(self) -> Iterator[str]:
        """Give the lines that have been added since the last call."""
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._position:
                self._position, self._rest = 0, b""
            file.seek(self._position)
            added = file.read()
        self._position += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
