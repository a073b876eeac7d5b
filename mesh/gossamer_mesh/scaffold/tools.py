"""Running the tools of contracts and languages: found like the project's own, and told nothing else of this process."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from gossamer_mesh.errors import Problem
from gossamer_mesh.local import parts

RUNS_WITHIN_S = 60


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end.

    Raises:
        OSError: there is no such program.
        Problem: it did not end in time.
    """
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=RUNS_WITHIN_S, check=False,
            env={"PATH": parts.search_path(), "HOME": str(Path.home())},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        words = " ".join(map(str, command))
        raise Problem(f"{words} did not end within {RUNS_WITHIN_S} s; run it by hand to see why") from error


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Give all that a tool printed."""
    return (done.stdout + done.stderr).strip()
