"""Finds and ends what a stack left running when its supervisor was killed.

Every process of a stack carries the stack's state folder in its environment under MARK, so a process is
recognised by what it is and never by a number that the system may have given to another. PostgreSQL is also recognised
by its command line: its environment may be closed to us.
"""

import contextlib
import os
import signal
from pathlib import Path

import psutil

from gossamer_mesh.local.ended import until_ended
from gossamer_mesh.local.postmaster import postmaster

MARK = "GOSSAMER_STACK"
SUPERVISOR = "gossamer_mesh.local"
PATIENCE_S = 25.0


def find(state: Path) -> list[psutil.Process]:
    """Find the living processes of a stack."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(state):
                found.append(process)
    server = postmaster(state / "postgres" / "data")
    return found if server is None or server in found else [*found, server]


def end(state: Path) -> int:
    """Ask the processes of a stack to end, wait for them, and kill those that do not; return how many there were.

    A supervisor that still lives goes first, or it would start again what ends. Then services, which drain while what
    they need for that is there, then the parts.
    """
    found = find(state)
    for group in _in_order(found):
        for process in group:
            with contextlib.suppress(psutil.Error):
                # PostgreSQL takes SIGTERM as "wait for every client"; SIGINT ends it in order and at once.
                process.send_signal(signal.SIGINT if process.name().startswith("postgres") else signal.SIGTERM)
        alive = until_ended(group, within=PATIENCE_S)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        until_ended(alive, within=PATIENCE_S)
    return len(found)


def _in_order(processes: list[psutil.Process]) -> list[list[psutil.Process]]:
    groups: list[list[psutil.Process]] = [[], [], []]
    for process in processes:
        groups[_place(process)].append(process)
    return groups


def _place(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error, OSError):
        if SUPERVISOR in process.cmdline():
            return 0
        if "GOSSAMER_SERVICE" in process.environ():
            return 1
    return 2
