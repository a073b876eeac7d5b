"""What a kit costs: a server of each kit against the bare gRPC server of the same language.

Three servers of a language answer ProbeService/Echo with the same handler: a bare one, one of the kit that keeps 1 % of
the traces, and one that keeps all. Those of the kit have health, reflection, validation, spans and metrics, which they
send to a sink that throws them away. Rounds call one after the other, so that all meet the same weather, for as many
rounds as it takes until the spread is small.

The figure is calls for each second of the server's own processor time: what a server can do when nothing else is in its
way. Calls a second on the clock are in the table too, but on few cores they measure the client as well, which needs as
much of them as a Go server does, and so they flatter a kit.

    python bench/kit_overhead.py [go] [python]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
AIM = 0.9
FEWEST_ROUNDS, MOST_ROUNDS = 7, 15
SPREAD = 0.02
"""Rounds go on until the middle half of the ratios is within this of their median."""
LOAD = ("-closed", "-workers=32", "-duration=3s", "-warmup=500ms")


@dataclass
class Server:
    """One of the servers that are compared."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    address: str = ""
    process: psutil.Process | None = None
    on_clock: list[float] = field(default_factory=list)
    """Calls for each second that went by, one a round."""
    on_processor: list[float] = field(default_factory=list)
    """Calls for each second of processor time, one a round."""

    def start(self, cleanup: ExitStack) -> None:
        """Start it and learn its address from its announcement."""
        environment = {**os.environ, **self.environment}
        child = subprocess.Popen(
            self.command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        cleanup.callback(child.wait, 30)
        cleanup.callback(child.terminate)
        assert child.stdout
        self.address = json.loads(child.stdout.readline())["address"]
        self.process = psutil.Process(child.pid)

    def measure(self, load: str) -> None:
        """Have it answer as many calls as it can for a while."""
        before = self._processor_seconds()
        summary = json.loads(
            subprocess.run([load, "-target", self.address, *LOAD], capture_output=True, check=True).stdout
        )
        if summary["failed"]:
            raise RuntimeError(f"calls to {self.name} failed: {summary['failures']}")
        self.on_clock.append(summary["calls_per_second"])
        self.on_processor.append((summary["ok"] + summary["warmup_calls"]) / (self._processor_seconds() - before))

    def _processor_seconds(self) -> float:
        assert self.process
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Measure the languages that are named, else all; only then is the result kept."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["go", "build", "-o", f"{folder}/", "./bench/load", "./bench/sink", "./bench/echo"],
            cwd=ROOT,
            check=True,
        )
        commands = {
            "go": [f"{folder}/echo"],
            "python": [sys.executable, str(ROOT / "bench" / "echo" / "server.py")],
        }
        asked = sys.argv[1:] or list(commands)
        for language in asked:
            found += compare(language, commands[language], folder)
    figures.show(found)
    if asked == list(commands):
        figures.write("kit_overhead", found)


def compare(language: str, command: Sequence[str], folder: str) -> list[figures.Figure]:
    """Measure the three servers of a language in turn."""
    with ExitStack() as cleanup:
        collector = _start_sink(f"{folder}/sink", cleanup)
        plain = {"GOSSAMER_SERVICE": "bench", "GOSSAMER_DISCOVERY": "static:", "GOMAXPROCS": "1"}
        traced = {**plain, "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
        bare = Server("bare", [*command, "-bare"], plain)
        kits = {
            share: Server(f"kit, {share} % of traces", command, {**traced, "OTEL_TRACES_SAMPLER_ARG": str(share / 100)})
            for share in (1, 100)
        }
        servers = [bare, *kits.values()]
        for server in servers:
            server.start(cleanup)
        for done in range(1, MOST_ROUNDS + 1):
            for server in servers:
                server.measure(f"{folder}/load")
            if done >= FEWEST_ROUNDS and all(_spread(ratios(kit, bare)) <= SPREAD for kit in kits.values()):
                break
        _table(language, servers)
        return [
            figures.Figure(
                figure=f"{language} kit server, {share} % of traces kept",
                values=ratios(kit, bare),
                unit="ratio",
                against=f"bare gRPC server in {language}, calls for each second of its processor time",
                aim={"min": AIM} if share == 1 else None,
            )
            for share, kit in kits.items()
        ]


def ratios(kit: Server, bare: Server) -> list[float]:
    """Give what the kit's server did of what the bare one did, one a round."""
    return [one / other for one, other in zip(kit.on_processor, bare.on_processor, strict=True)]


def _spread(values: Sequence[float]) -> float:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return max(high - middle, middle - low) / middle


def _start_sink(program: str, cleanup: ExitStack) -> str:
    child = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    cleanup.callback(child.wait, 30)
    cleanup.callback(child.terminate)
    assert child.stdout
    return f"http://{child.stdout.readline().strip()}"


def _table(language: str, servers: Sequence[Server]) -> None:
    print(f"{language:24} {'calls/s':>10} {'calls/s of processor':>22}")
    for server in servers:
        clock, processor = statistics.median(server.on_clock), statistics.median(server.on_processor)
        print(f"{server.name:24} {clock:10,.0f} {processor:22,.0f}")


if __name__ == "__main__":
    main()
