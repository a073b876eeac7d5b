"""One instance of a service of the shop as a process, without a mesh, and a client of it that is grpcio's own."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

PATIENCE = 30
"""Seconds for what an instance has to do on a busy machine."""


class ServiceProcess:
    """An instance from its start on; whoever starts it has to `end` it."""

    def __init__(
        self, command: Sequence[str | Path], stub: Callable[[Any], Any], log: Path, **environment: str
    ) -> None:
        """Start a command. `stub` makes a client of a channel; `log` is where its standard error goes."""
        self.log = log
        self._stub = stub
        told = os.environ | {"GOSSAMER_DISCOVERY": "static:"} | environment
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=errors)
        self.channel: Any = None

    def connect(self) -> Any:
        """Wait until it serves; return its client."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.channel = grpc.insecure_channel(json.loads(line)["address"])
        return self._stub(self.channel)

    def until_logged(self, text: str) -> None:
        """Wait until it logs something."""
        end = time.monotonic() + PATIENCE
        while text not in (said := self.log.read_text()):
            assert time.monotonic() < end, said
            assert self.process.poll() is None, said
            threading.Event().wait(0.02)

    def stop(self) -> int:
        """Stop it in order; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """End it, whatever it does."""
        if self.channel:
            self.channel.close()
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
