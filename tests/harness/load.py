"""Steady load by a client that we did not write: grpc-go alone, in bench/load, with a ledger of every call."""

import contextlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gossamer_mesh.local.launch import bootstrap

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> Path:
    """Build the program and give where it lies."""
    program = folder / "load"
    subprocess.run(["go", "build", "-o", program, "./bench/load"], cwd=ROOT, check=True, timeout=300)
    return program


class Load:
    """Calls that start at a steady rate while the block runs; the summary is there afterwards."""

    def __init__(self, program: Path, control: str, *words: str, seconds: float, rate: int = 200) -> None:
        self._command: Sequence[str | Path] = [program, f"-duration={seconds}s", f"-rate={rate}", *words]
        self._environment = {"GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap("test", "load", "load-1", "local", control)}
        self._within = seconds + 30
        self.summary: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self

    def run_for(self, seconds: float) -> None:
        """Let calls run for a while before something happens to them; fail when the load ends early."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            raise AssertionError(self._process.stderr.read() if self._process.stderr else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        try:
            output, errors = self._process.communicate(timeout=self._within)
        finally:
            self._process.kill()
            self._process.wait()
        if kind is None:
            assert self._process.returncode == 0, errors
            self.summary = json.loads(output)
