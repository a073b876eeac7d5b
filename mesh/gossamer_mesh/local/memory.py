"""How much of the machine's memory a process and its children hold."""

import contextlib
import re
from pathlib import Path

import psutil


def held(pid: int) -> int:
    """Bytes held by a process and its descendants; 0 when it is gone.

    Where the system tells (Linux), pages shared by several processes are split between them (PSS), so that a
    sum over processes is what they hold together; elsewhere it is what is resident.
    """
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_share(member) for member in family)


def _share(process: psutil.Process) -> int:
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        if match := re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE):
            return int(match[1]) * 1024
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
