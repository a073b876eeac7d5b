"""Starting probes in a mesh, and waiting for what the mesh comes to know of them."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from conformance.otlp import Receiver
from harness.consul import Consul
from harness.control import ControlPlane
from harness.probe import Language, Probe, channel, launch, run_to_end

from gossamer.mesh.v1 import mesh_pb2
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub

PASSING = mesh_pb2.INSTANCE_HEALTH_PASSING
WITHIN = 15.0
"""Seconds for what has to come about on a busy machine."""


class Mesh:
    """One Consul and the control plane that reads it."""

    def __init__(self, consul: Consul, control: ControlPlane) -> None:
        self.consul = consul
        self.control = control

    async def until_serving(self, service: str, instance: str) -> None:
        """Wait until the control plane gives an instance to clients, which is a moment after Consul knows it."""
        try:
            async with asyncio.timeout(WITHIN), channel(self.control.address) as open_channel:
                watch = MeshServiceStub(open_channel).WatchServices(mesh_pb2.WatchServicesRequest())
                async for seen in watch:
                    found = (each for known in seen.changed if known.name == service for each in known.instances)
                    if any(each.id == instance and each.health == PASSING for each in found):
                        return
        except TimeoutError:
            pass
        raise AssertionError(f"expected {instance} of {service} in the mesh within {WITHIN} s")


class Probes:
    """Starts probes, and ends those that are left."""

    def __init__(self, mesh: Mesh, receiver: Receiver, programs: Path, folder: Path) -> None:
        self._mesh = mesh
        self._receiver = receiver
        self._programs = programs
        self._folder = folder
        self._running: list[Probe] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for probe in self._running:
            await probe.end(signal.SIGKILL)
            if probe.instance in await self._mesh.consul.get("/v1/agent/services"):
                await self._mesh.consul.deregister(probe.instance)

    def environment(self, service: str, instance: str, **changes: str) -> dict[str, str]:
        """What an instance in the mesh is told; `changes` are variables by name, empty to leave one out."""
        return {
            "GOSSAMER_SERVICE": service,
            "GOSSAMER_INSTANCE": instance,
            "CONSUL_HTTP_ADDR": self._mesh.consul.address,
            "GRPC_XDS_BOOTSTRAP_CONFIG": self._mesh.control.bootstrap(f"test/{service}/{instance}", by_kit=True),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._receiver.endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            **changes,
        }

    async def start(
        self, language: Language, service: str = "", instance: str = "", *, joined: bool = True, **changes: str
    ) -> Probe:
        """Start an instance and wait until it is bound, and when `joined` until the mesh calls it."""
        if language.missing:
            pytest.skip(f"{language.name}: this machine has no {language.missing}")
        service = service or f"probe-{secrets.token_hex(3)}"
        instance = instance or f"{service}-{language.name}-{secrets.token_hex(3)}"
        command = await asyncio.to_thread(language.prepared, self._programs)
        environment = {**language.environment, **self.environment(service, instance, **changes)}
        child = await launch(command, environment, self._folder / f"{instance}.log")
        probe = Probe(language.name, service, instance, child)
        self._running.append(probe)
        probe.announced = await child.announcement()
        if joined:
            await self._mesh.until_serving(service, instance)
        return probe

    async def refused(self, language: Language, **changes: str) -> tuple[int, str, str]:
        """Start an instance that must not come up. Gives its exit status and what it wrote on both streams."""
        if language.missing:
            pytest.skip(f"{language.name}: this machine has no {language.missing}")
        command = await asyncio.to_thread(language.prepared, self._programs)
        return await run_to_end(
            command, {**language.environment, **self.environment("refused", "refused-1", **changes)}, WITHIN
        )


async def until(condition: Callable[[], Awaitable[Any]], what: str, within: float = WITHIN) -> None:
    """Look again and again until something is so."""
    try:
        async with asyncio.timeout(within):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"expected {what} within {within} s") from None


@asynccontextmanager
async def probing(folder: Path) -> AsyncIterator[tuple[Mesh, Probes]]:
    """Give a mesh of its own, whose programs are built and whose files are kept in a folder."""
    async with (
        Consul(folder / "consul") as consul,
        ControlPlane(folder / "control", consul.url) as control,
        Receiver() as receiver,
    ):
        mesh = Mesh(consul, control)
        async with Probes(mesh, receiver, folder / "programs", folder) as probes:
            yield mesh, probes
