"""Load by a client that we did not write: grpc-go alone, in bench/load, which notes how every call went."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gossamer_mesh.local.launch import bootstrap

ROOT = Path(__file__).parents[2]
LONGEST_S = 180
"""The load ends by itself after so long, should nobody be left to end it."""
CALLS_END_WITHIN_S = 30
FROZEN_S = 0.2


def calls_of(method: str, request: Mapping[str, Any]) -> tuple[str, ...]:
    """Say to the load that it calls a method, by its full name, of the service that has the name of its package."""
    service = method.split(".")[1]
    return f"-target=xds:///{service}", f"-method={method}", f"-json={json.dumps(request)}"


GET_PRODUCT = calls_of("shop.catalog.v1.CatalogService/GetProduct", {"id": "alpaca-throw"})


def build(folder: Path) -> Path:
    """Build the program and give where it lies."""
    program = folder / "load"
    subprocess.run(["go", "build", "-o", program, "./bench/load"], cwd=ROOT, check=True, timeout=300)
    return program


class Load:
    """Calls that start at a steady rate while the block runs; the summary is there afterwards."""

    def __init__(self, program: Path, control: str, *words: str, rate: int = 200) -> None:
        always = (f"-duration={LONGEST_S}s", f"-rate={rate}", f"-contracts={ROOT}/gen/contracts.binpb")
        self._command: Sequence[str | Path] = [program, *always, *words]
        self._environment = {"GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap("test", "load", "load-1", "local", control)}
        self.summary: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self

    def run_for(self, seconds: float) -> None:
        """Let calls run for a while; fail when the load has ended by then, so that they ran all the time until now."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            raise AssertionError(self._process.stderr.read() if self._process.stderr else "")

    def finish(self) -> None:
        """Wait until as many calls were made as `-count` asks for."""
        self._process.wait(LONGEST_S + CALLS_END_WITHIN_S)

    def kill(self, pid: int) -> None:
        """Kill a process that takes calls. It is frozen first, so that calls are on their way to it when it dies."""
        os.kill(pid, signal.SIGSTOP)
        try:
            self.run_for(FROZEN_S)
        finally:
            os.kill(pid, signal.SIGKILL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM if kind is None else signal.SIGKILL)
        try:
            output, errors = self._process.communicate(timeout=CALLS_END_WITHIN_S)
        finally:
            self._process.kill()
            self._process.wait()
        if kind is None:
            assert self._process.returncode == 0, errors
            self.summary = json.loads(output)
