"""Waits for processes that are not our own children to have ended."""

import contextlib
import time
from collections.abc import Iterable

import psutil

LOOK_S = 0.02


def until_ended(processes: Iterable[psutil.Process], *, within: float) -> list[psutil.Process]:
    """Wait until they have ended, at most so many seconds; return those that still live.

    One that has ended and was not collected by its parent counts as ended: where process 1 collects nobody, as in some
    containers, it stays for ever.
    """
    deadline = time.monotonic() + within
    while (alive := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return alive


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs. One that has ended and that its parent has not collected does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
