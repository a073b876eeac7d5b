"""What a kit costs: a server of each kit against the bare gRPC server of the same language.

Three servers of a language answer ProbeService/Echo with the same handler: a bare one (bench/echo/LANGUAGE/bare), one
of the kit that keeps 1 % of the traces, and one that keeps all. The bare ones have health and nothing else. Those of
the kit have health, reflection, validation, spans and metrics, which they send to a sink that throws them away. All are
told that there is one processor, Java's run with the flags of kits/java/build.py, Rust's are built for release, and in
TypeScript both sides use the messages of protobuf-es. Rounds call one after the other, so that all meet the same
weather, for as many rounds as it takes until the spread is small; a first one, which warms them, does not count.

The figure is calls for each second of the server's own processor time: what a server can do when nothing else is in its
way. Calls a second on the clock are there too, but on few cores they measure the client as well, which needs as much of
them as a Go server does, and so they flatter a kit.

Memory is what is resident (RSS) after each round, as if the server ran alone. A start is the time from exec until
health answers SERVING, of a server that joins no mesh.

    python bench/kit_overhead.py [go] [python] ...
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from harness.probe import languages  # noqa: E402 - the tests' harness is no package of its own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AIM = {"min": 0.9}
FEWEST_ROUNDS, MOST_ROUNDS = 7, 9
SPREAD = 0.02
"""Rounds go on until the middle half of the ratios is within this of their median."""
LOAD = ("-closed", "-workers=32", "-duration=2s", "-warmup=500ms")
STARTS = 7
ANSWERS_WITHIN_S = 20
PROCESSOR, CLOCK = "calls a second of its processor time", "calls a second"
MEMORY, START = "memory after calls", "start, from exec to SERVING"
UNITS = {PROCESSOR: "calls/s", CLOCK: "calls/s", MEMORY: "MB", START: "ms"}
PLAIN = {
    "GOSSAMER_SERVICE": "bench",
    "GOSSAMER_DISCOVERY": "static:",
    "GOMAXPROCS": "1",
    "TOKIO_WORKER_THREADS": "1",
    "JAVA_TOOL_OPTIONS": "-XX:ActiveProcessorCount=1",
}


@dataclass
class Server:
    """One of the servers that are compared."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    address: str = ""
    process: psutil.Process | None = None
    found: dict[str, list[float]] = field(default_factory=lambda: {what: [] for what in UNITS})
    """For each of what is measured, a value a round."""

    def start(self, cleanup: ExitStack) -> float:
        """Start it and learn its address from its announcement; give the milliseconds until it served."""
        environment = {**os.environ, **self.environment}
        began = time.monotonic()
        child = subprocess.Popen(
            self.command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        cleanup.callback(child.wait, 30)
        cleanup.callback(child.terminate)
        assert child.stdout
        self.address = json.loads(child.stdout.readline())["address"]
        self.process = psutil.Process(child.pid)
        with grpc.insecure_channel(self.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest()
            while (
                health.Check(asked, wait_for_ready=True, timeout=ANSWERS_WITHIN_S).status
                != health_pb2.HealthCheckResponse.SERVING
            ):
                if time.monotonic() > began + ANSWERS_WITHIN_S:
                    raise RuntimeError(f"{self.name} does not serve after {ANSWERS_WITHIN_S} s")
            return (time.monotonic() - began) * 1000

    def measure_start(self) -> None:
        """Start another one, and end it."""
        with ExitStack() as cleanup:
            self.found[START].append(Server(self.name, self.command, self.environment).start(cleanup))

    def measure(self, load: str) -> None:
        """Have it answer as many calls as it can for a while."""
        assert self.process
        before = self._processor_seconds()
        summary = json.loads(
            subprocess.run([load, "-target", self.address, *LOAD], capture_output=True, check=True).stdout
        )
        if summary["failed"]:
            raise RuntimeError(f"calls to {self.name} failed: {summary['failures']}")
        answered = summary["ok"] + summary["warmup_calls"]
        self.found[CLOCK].append(summary["calls_per_second"])
        self.found[PROCESSOR].append(answered / (self._processor_seconds() - before))
        self.found[MEMORY].append(self.process.memory_info().rss / 1e6)

    def _processor_seconds(self) -> float:
        assert self.process
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Measure the languages that are named, else all; only then is the result kept."""
    known = {language.name: language.missing for language in languages()}
    asked = sys.argv[1:] or list(known)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        build([["go", "build", "-o", f"{folder}/", "./bench/load", "./bench/sink"]])
        for language in asked:
            if known[language]:
                print(f"{language} is left out: there is no {known[language]}")
                continue
            found += compare(language, prepared(language, folder), folder)
    figures.show(found)
    if not sys.argv[1:]:
        figures.write("kit_overhead", found)


def prepared(language: str, folder: str) -> dict[str, list[str]]:
    """Build the servers of a language; give what starts the bare one and that of the kit."""
    source, kits = f"bench/echo/{language}", ("bare", "kit")
    match language:
        case "python":
            return {kit: [sys.executable, f"{source}/{kit}.py"] for kit in kits}
        case "go":
            build([["go", "build", "-o", f"{folder}/", f"./{source}/..."]])
            return {kit: [f"{folder}/{kit}"] for kit in kits}
        case "typescript":
            build([["node", "kits/typescript/build.js", "kits/typescript", "dist/src/index.js", f"{folder}/built"]])
            return {kit: ["node", f"{source}/{kit}.js"] for kit in kits}
        case "rust":
            build([["cargo", "build", "--locked", "--quiet", "--release", "--package", "echo"]])
            return {kit: [f"target/release/echo-{kit}"] for kit in kits}
        case "java":
            java, package = [sys.executable, "kits/java/build.py", source], "dev.gossamer.bench"
            build([[*java, f"{package}.{kit.title()}Server", f"{folder}/java-{kit}"] for kit in kits])
            return {kit: [f"{folder}/java-{kit}"] for kit in kits}
    raise RuntimeError(f"say here how {source} is built and started")


def build(commands: Sequence[Sequence[str]]) -> None:
    """Run what makes programs."""
    for command in commands:
        subprocess.run(command, cwd=ROOT, check=True)


def compare(language: str, commands: Mapping[str, Sequence[str]], folder: str) -> list[figures.Figure]:
    """Measure the three servers of a language in turn."""
    with ExitStack() as cleanup:
        collector = _start_sink(f"{folder}/sink", cleanup)
        traced = {**PLAIN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
        bare = Server("bare", commands["bare"], PLAIN)
        kits = {
            share: Server(
                f"kit, {share} % of traces", commands["kit"], {**traced, "OTEL_TRACES_SAMPLER_ARG": str(share / 100)}
            )
            for share in (1, 100)
        }
        servers = [bare, *kits.values()]
        for server in servers:
            server.start(cleanup)
        for done in range(MOST_ROUNDS + 1):
            for server in servers:
                server.measure(f"{folder}/load")
                if not done:  # the first one warms
                    server.found = {what: [] for what in UNITS}
            if done >= FEWEST_ROUNDS and all(_spread(ratios(kit, bare, PROCESSOR)) <= SPREAD for kit in kits.values()):
                break
    for _ in range(STARTS):
        for server in servers:
            server.measure_start()
    return [*_compared(language, bare, kits), *_side_by_side(language, servers)]


def ratios(kit: Server, bare: Server, what: str) -> list[float]:
    """Give what the kit's server did of what the bare one did, one a round."""
    return [one / other for one, other in zip(kit.found[what], bare.found[what], strict=True)]


def _spread(values: Sequence[float]) -> float:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return max(high - middle, middle - low) / middle


def _compared(language: str, bare: Server, kits: Mapping[int, Server]) -> list[figures.Figure]:
    """Make the figures of what the kit does of what the bare server does, and of what it adds."""
    shares = [
        figures.Figure(
            figure=f"{language}, {share} % of traces kept: {what}, kit / bare",
            values=ratios(kit, bare, what),
            unit="ratio",
            against=f"bare gRPC server in {language}, in the same round",
            aim=AIM if share == 1 else None,
        )
        for share, kit in kits.items()
        for what in (PROCESSOR, CLOCK)
    ]
    added = [
        figures.Figure(
            figure=f"{language}, 1 % of traces kept: {what}, added",
            values=[one - other for one, other in zip(kits[1].found[what], bare.found[what], strict=True)],
            unit=UNITS[what],
            against=f"bare gRPC server in {language}",
        )
        for what in (MEMORY, START)
    ]
    return shares + added


def _side_by_side(language: str, servers: Sequence[Server]) -> list[figures.Figure]:
    return [
        figures.Figure(
            figure=f"{language}: {what}", side=server.name, values=server.found[what], unit=unit, against="absolute"
        )
        for what, unit in UNITS.items()
        for server in servers
    ]


def _start_sink(program: str, cleanup: ExitStack) -> str:
    child = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    cleanup.callback(child.wait, 30)
    cleanup.callback(child.terminate)
    assert child.stdout
    return f"http://{child.stdout.readline().strip()}"


if __name__ == "__main__":
    main()
