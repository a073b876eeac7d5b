"""The probe programs of the kits: found by their kit.yaml, built once, started, and talked to by plain gRPC."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import yaml

from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub
from harness.process import Child

if TYPE_CHECKING:
    from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceAsyncStub

ROOT = Path(__file__).parents[2]

BUILD_WITHIN = 300
"""Seconds that building a probe may take, from empty caches and on a busy machine."""

# What the surrounding shell might set and a probe must not see.
_FOREIGN = ("GOSSAMER_", "OTEL_", "CONSUL_", "GRPC_XDS_", "DATABASE_URL")


@dataclass(frozen=True)
class Language:
    """One kit that has a probe program."""

    name: str
    tools: tuple[tuple[str, ...], ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    environment: dict[str, str] = field(hash=False)

    @cached_property
    def missing(self) -> str:
        """The first of its tools that this machine lacks; empty when all are there."""
        return next((check[0] for check in self.tools if not shutil.which(_fill(check[0], Path()))), "")

    def prepared(self, folder: Path) -> tuple[str, ...]:
        """Build the program if that has not been done in `folder` yet, and give the command that runs it."""
        output = folder / f"probe-{self.name}"
        if self.build:
            built(output, self.build)
        return tuple(_fill(word, output) for word in self.run)


def languages() -> list[Language]:
    """Find every kit with a probe, in the order of their names."""
    found = []
    for path in sorted(ROOT.glob("kits/*/kit.yaml")):
        said: dict[str, Any] = yaml.safe_load(path.read_text())
        if said.get("probe"):
            tools = tuple(tuple(tool["check"]) for tool in said.get("tools", ()))
            environment = {name: _fill(value, Path()) for name, value in (said.get("env") or {}).items()}
            build = tuple(said.get("probe_build", ()))
            found.append(Language(said["language"], tools, build, tuple(said["probe"]), environment))
    return found


def _fill(word: str, output: Path) -> str:
    return word.format(root=ROOT, output=output, python=sys.executable, service="probe", module="probe")


def built(output: Path, command: Sequence[str]) -> Path:
    """Build a program once, by whichever test process comes first. `{output}` in the command is where it goes."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with _alone(output.with_suffix(".lock")):
        if not output.exists():
            words = [_fill(word, output) for word in command]
            done = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_WITHIN)
            assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"
    return output


@dataclass
class Probe:
    """One running instance of a probe program."""

    language: str
    service: str
    instance: str
    child: Child
    announced: dict[str, Any] = field(default_factory=dict)
    channel: grpc.aio.Channel | None = None

    @property
    def address(self) -> str:
        """`host:port` that it announced."""
        return str(self.announced["address"])

    @cached_property
    def stub(self) -> "ProbeServiceAsyncStub":
        """A plain gRPC client of this instance, without any kit."""
        self.channel = channel(self.address)
        return ProbeServiceStub(self.channel)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and give the exit status."""
        try:
            return await self.child.end(number)
        finally:
            if self.channel is not None:
                await self.channel.close()


def channel(address: str, **options: Any) -> grpc.aio.Channel:
    """Open a plain channel that neither hides failures nor limits sizes."""
    settings = {"enable_retries": 0, "max_receive_message_length": -1, "use_local_subchannel_pool": 1, **options}
    return grpc.aio.insecure_channel(address, [(f"grpc.{name}", value) for name, value in settings.items()])


async def run_to_end(command: tuple[str, ...], environment: Mapping[str, str], within: float) -> tuple[int, str, str]:
    """Run a probe program that has to end by itself. Gives its exit status and what it wrote on both streams."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_clean(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def launch(command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> Child:
    """Start a probe program with nothing of this process's own configuration."""
    return await Child.start(*command, log=log, environment=_clean(environment))


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    blank = {name: "" for name in os.environ if name.startswith(_FOREIGN)}
    return {**os.environ, **blank, **environment}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
