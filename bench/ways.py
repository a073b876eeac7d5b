"""The ways that a call can take from a caller to a called service of the same language, and all that each needs.

Owns what is started for bench/sidecars.py and how calls, processor time and memory of a way are taken; that file says
what the ways are, and compares them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from harness import envoy  # noqa: E402 - the tests' harness is no package of its own
from harness.consul import Consul  # noqa: E402
from harness.control import ControlPlane  # noqa: E402
from harness.instance import CONTRACT  # noqa: E402
from harness.ports import free_ports  # noqa: E402
from harness.process import Child  # noqa: E402

from gossamer_mesh.local.memory import held  # noqa: E402

LOADS = {"serial": 1, "64 at once": 64}
"""How many calls each keeps going."""
DIRECT, MESH, MTLS, PLAIN = "direct", "Gossamer", "sidecars, mTLS", "sidecars, plain"
KITS_DIRECT, KITS_MESH = "kits, direct", "kits, Gossamer"
MEGABYTE = 1e6
ANSWERS_WITHIN_S = 30


@dataclass
class Way:
    """One way for calls: a caller of its own, the called process, and the processes that the way adds."""

    name: str
    caller: asyncio.subprocess.Process
    called: int
    """Process id of the called service."""
    added: Sequence[int] = ()
    """Process ids of what stands between them."""
    found: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {load: [] for load in LOADS})
    """For each load, what each round found."""
    megabytes: float = 0.0
    """What all of its processes hold after the load."""

    async def answers(self) -> None:
        """Wait until calls arrive, as a mesh needs a moment to say where."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while (found := await self._call(1, 0.1))["failed"]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no answer on the way {self.name} in {ANSWERS_WITHIN_S} s: {found['failure']}")

    async def measure(self, load: str, seconds: float) -> None:
        """Have calls made, and note how that went."""
        before = self._processor_seconds()
        found = await self._call(LOADS[load], seconds)
        spent = self._processor_seconds() - before
        if found["failed"]:
            raise RuntimeError(f"{found['failed']} calls failed on the way {self.name}, {load}: {found['failure']}")
        self.found[load].append(
            {
                "median": found["p50_ms"],
                "p99": found["p99_ms"],
                "calls a second": found["calls"] / found["seconds"],
                "processor time of 1,000 calls": spent / found["calls"] * 1e6,
            }
        )

    def values(self, load: str, what: str) -> list[float]:
        """Give what each round found."""
        return [each[what] for each in self.found[load]]

    def weigh(self) -> None:
        """Note what all of its processes hold now."""
        self.megabytes = sum(map(held, self._processes())) / MEGABYTE

    async def _call(self, at_once: int, seconds: float) -> dict[str, Any]:
        assert self.caller.stdin
        assert self.caller.stdout
        self.caller.stdin.write(f"{at_once} {seconds}\n".encode())
        async with asyncio.timeout(seconds + ANSWERS_WITHIN_S):
            while line := await self.caller.stdout.readline():
                if "p50_ms" in (found := json.loads(line)):
                    return dict(found)
        raise RuntimeError(f"the caller of {self.name} ended; what it wrote is above")

    def _processor_seconds(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in self._processes()]
        return float(sum(each.user + each.system for each in times))

    def _processes(self) -> list[int]:
        return [self.caller.pid, self.called, *self.added]


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """What all ways of all languages share: one Consul, one control plane, one sink for telemetry."""

    consul: Consul
    control: ControlPlane
    sink: str
    envoy: Path
    folder: Path
    """Of the programs that `build` made, and of what all that is started writes."""

    def environment(self, service: str) -> dict[str, str]:
        """Give what a process of a service finds in its environment."""
        return {
            "GOSSAMER_SERVICE": service,
            "GOSSAMER_INSTANCE": f"{service}-1",
            "CONSUL_HTTP_ADDR": self.consul.url,
            "GRPC_XDS_BOOTSTRAP_CONFIG": self.control.bootstrap(f"bench/{service}/1"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.sink,
        }

    def command(self, language: str, program: str, script: str) -> list[str]:
        """Give what starts a program: that of this name in Go, or its twin in Python, which lies below bench/."""
        python = [sys.executable, str(ROOT / "bench" / script)]
        return python if language == "python" else [str(self.folder / program)]


def build(folder: Path) -> Path:
    """Build the programs in Go into a folder, and give where Envoy lies."""
    command = ("go", "build", "-o", f"{folder}/", "./bench/caller", "./bench/echo/go/...", "./bench/sink")
    subprocess.run(command, cwd=ROOT, check=True)
    return envoy.bring()


@contextlib.asynccontextmanager
async def shared(folder: Path, program: Path) -> AsyncIterator[Mesh]:
    """Start what all ways share, with services declared as grpc."""
    async with contextlib.AsyncExitStack() as stack:
        consul = await stack.enter_async_context(Consul(folder / "consul"))
        await consul.speak_grpc()
        control = await stack.enter_async_context(ControlPlane(folder / "control", consul.url))
        sink = await asyncio.create_subprocess_exec(folder / "sink", stdout=asyncio.subprocess.PIPE)
        stack.push_async_callback(end, sink)
        assert sink.stdout
        collector = f"http://{(await sink.stdout.readline()).decode().strip()}"
        yield Mesh(consul=consul, control=control, sink=collector, envoy=program, folder=folder)


async def called(mesh: Mesh, language: str, service: str, stack: contextlib.AsyncExitStack, server: str) -> Any:
    """Start a called service on a server that is "bare" or of the "kit"; give it and its address."""
    command = mesh.command(language, server, f"echo/python/{server}.py")
    log = mesh.folder / f"{service}.log"
    child = await Child.start(*command, log=log, environment=mesh.environment(service))
    stack.push_async_callback(child.end)
    return child, (await child.announcement())["address"]


async def way(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    of: Child,
    added: Sequence[int],
    stack: contextlib.AsyncExitStack,
) -> Way:
    """Start the caller of a way, and wait until it is answered."""
    caller = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    stack.push_async_callback(end, caller)
    made = Way(name, caller, of.pid, added)
    await made.answers()
    return made


async def end(caller: asyncio.subprocess.Process) -> None:
    """End a caller, which has nothing to put in order."""
    if caller.returncode is None:
        caller.kill()
    await caller.wait()


async def open_ways(
    mesh: Mesh, language: str, stack: contextlib.AsyncExitStack, twins: contextlib.AsyncExitStack
) -> dict[str, Way]:
    """Start everything of a language; the plaintext twins of sidecars can be ended before the rest."""
    bare, kit, calling = f"{language}-bare", f"{language}-kit", f"{language}-caller"
    bare_called, address = await called(mesh, language, bare, stack, "bare")
    kit_called, kit_address = await called(mesh, language, kit, stack, "kit")
    entered, unused, mtls, plain_entered, plain_unused, plain = free_ports(6)
    await mesh.consul.register(bare, bare, address, contracts=[CONTRACT], sidecar=envoy.sidecar(bare, entered))
    # Nobody calls the caller: it has no address.
    offering = envoy.sidecar(calling, unused, {bare: mtls})
    await mesh.consul.register(calling, calling, "127.0.0.1:9", grpc=False, sidecar=offering)
    sidecars = [
        await stack.enter_async_context(envoy.Envoy.beside(mesh.folder / f"{name}-mtls", mesh.envoy, mesh.consul, name))
        for name in (bare, calling)
    ]
    environment, command = mesh.environment(calling), mesh.command(language, "caller", "caller/client.py")

    async def open_way(name: str, target: str, added: Sequence[envoy.Envoy] = ()) -> Way:
        pids = [each.pid for each in added]
        return await way(name, [*command, "-bare", target], environment, bare_called, pids, stack)

    async def open_kits(name: str, discovery: str) -> Way:
        told = {**environment, "GOSSAMER_DISCOVERY": discovery}
        return await way(name, [*command, kit], told, kit_called, (), stack)

    found = [await open_way(DIRECT, address), await open_way(MESH, f"xds:///{bare}")]
    found.append(await open_way(MTLS, f"127.0.0.1:{mtls}", sidecars))  # which have all their configuration from then on
    ports = {entered: plain_entered, unused: plain_unused, mtls: plain}
    added = await plaintext(mesh, language, sidecars, ports, twins)
    found.append(await open_way(PLAIN, f"127.0.0.1:{plain}", added))
    found.append(await open_kits(KITS_DIRECT, f"static:{kit}={kit_address}"))
    found.append(await open_kits(KITS_MESH, "xds"))
    return {each.name: each for each in found}


async def plaintext(
    mesh: Mesh,
    language: str,
    sidecars: Sequence[envoy.Envoy],
    ports: dict[int, int],
    stack: contextlib.AsyncExitStack,
) -> list[envoy.Envoy]:
    """Start a twin of each sidecar, without TLS."""
    dumps = [json.loads(await each.get("/config_dump?include_eds")) for each in sidecars]
    return [
        await stack.enter_async_context(
            envoy.Envoy.of(mesh.folder / f"{language}-plain-{n}", mesh.envoy, envoy.without_tls(dump, ports))
        )
        for n, dump in enumerate(dumps)
    ]
