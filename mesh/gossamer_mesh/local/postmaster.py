"""Who runs PostgreSQL on a data folder, as far as everyone may see.

PostgreSQL runs as a user of its own when the stack is root's, and root in a container may not look into the processes
of other users. A command line, and the lock file of the data folder, can be read by the one who owns the stack.
"""

import contextlib
from pathlib import Path

import psutil


def postmaster(data: Path) -> psutil.Process | None:
    """Find the living PostgreSQL that holds the lock of a data folder; None when the lock is none's."""
    folder = data.resolve()
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        words = process.cmdline()
        if Path(words[0]).name == "postgres" and str(folder) in words and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
