"""The control plane as a whole: source -> discovery -> policy -> resources -> streams, in one gRPC server."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gossamer.mesh.v1 import mesh_pb2, mesh_pb2_grpc, traffic_pb2, traffic_pb2_grpc
from gossamer_mesh import reflection
from gossamer_mesh.consul import ConsulSource
from gossamer_mesh.control.api import MeshApi
from gossamer_mesh.control.call_policies import CallPolicies
from gossamer_mesh.control.hand import Hand
from gossamer_mesh.control.image import ContractImage
from gossamer_mesh.control.planning import ANYONE, Planning
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.control.traffic_api import TrafficApi
from gossamer_mesh.discovery import Discovery, FileSource, SecondLook, Snapshot, Source
from gossamer_mesh.handles.check import File, Finding, check
from gossamer_mesh.model import Audience, Mesh
from gossamer_mesh.policy import Contracts, Planned, Refusal
from gossamer_mesh.xds import AdsServer, LoadReports, Resources, ResourceSet, Signal, View

if TYPE_CHECKING:
    from gossamer_mesh.control.metrics import Gauge, Metrics

log = logging.getLogger(__name__)

CONTRACTS = (
    mesh_pb2.DESCRIPTOR.services_by_name["MeshService"].full_name,
    traffic_pb2.DESCRIPTOR.services_by_name["TrafficService"].full_name,
)

GRACE = 0.5
"""Seconds that running calls get when the control plane stops."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a second control plane behind it
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # a client whose machine or network is gone is no client: without pings it would stay one for hours
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # without it the one above has no effect (grpcio 1.85.1)
    ("grpc.http2.max_pings_without_data", 0),  # any number: an idle stream has no data
)


class BindError(Exception):
    """The address can't be listened on. The message says what to do."""


class ControlPlane:
    """One control plane. `async with` binds and follows; leaving it ends every stream and closes."""

    def __init__(self, settings: Settings, source: Source | None = None) -> None:
        """Read from `source`, or from what the settings name. Raises `ContractsError`."""
        self.address = ""
        """Where it is bound, as `host:port`."""
        self._settings = settings
        self._image = ContractImage(settings.contracts) if settings.contracts else None
        self._metrics = _metrics(settings) if settings.otlp else None
        self._ads = AdsServer(refused=self._metrics.refused if self._metrics else None)
        self._load_reports = LoadReports()
        self._changed = Signal()
        self._resources = Resources(boot=secrets.token_hex(2))
        self._planning = Planning()
        self._call_policies = CallPolicies(self._planning.audience, self._begin)
        self._refused: frozenset[Refusal] = frozenset()
        self._discovery = Discovery(
            source or _source(settings), publish=self._believe, second_look=SecondLook(delay=settings.second_look)
        )
        read_from_consul = not source and not settings.file
        self._hand = Hand(settings.consul, self._planning, self._changed) if read_from_consul else None
        self._health = HealthServicer()
        if self._metrics:
            self._metrics.observe(self._gauges)
        self._server = grpc.aio.server(options=OPTIONS)
        self._due = asyncio.Event()
        """Set when there is something to publish."""
        self._ready = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Bind, and begin to follow the source. Raises `BindError`."""
        for name in ("", *CONTRACTS):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._add_services()
        self.address = self._bind()
        await self._server.start()
        self._tasks.append(asyncio.create_task(self._discovery.run()))
        self._tasks.append(asyncio.create_task(self._publishing()))
        if self._image:
            self._tasks.append(asyncio.create_task(self._image.follow(self._due.set)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ads.end()
        self._call_policies.end()
        self._load_reports.end()
        await self._server.stop(GRACE)
        if self._metrics:
            await self._metrics.close()

    async def run(self) -> None:
        """Follow until cancelled, or until something that must not end has failed."""
        await asyncio.gather(*self._tasks)

    def _bind(self) -> str:
        host, _, port = self._settings.listen.rpartition(":")
        try:
            # asked of the system first: gRPC would write why not to standard error, in words of its own
            family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
            return f"{host}:{self._server.add_insecure_port(self._settings.listen)}"
        except (OSError, RuntimeError) as error:
            raise BindError(
                f"expected to listen on {self._settings.listen}, but: {error}. "
                "Stop what listens there or give another --listen."
            ) from error

    def _add_services(self) -> None:
        api = MeshApi(
            self._discovery,
            self._ads,
            published=lambda: self._planning.mesh,
            changed=self._changed,
            settle=self._settings.settle,
        )
        mesh_pb2_grpc.add_MeshServiceServicer_to_server(api, self._server)
        traffic = TrafficApi(
            self._planning,
            self._call_policies,
            contracts=self._contracts,
            hand=self._hand,
            check=partial(self._check, program) if (program := self._settings.consul_program) else None,
        )
        traffic_pb2_grpc.add_TrafficServiceServicer_to_server(traffic, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers(
            (self._ads.handler(), self._load_reports.handler(), *reflection.handlers(*CONTRACTS))
        )

    @property
    def _gauges(self) -> "tuple[Gauge, ...]":
        ads, discovery = self._ads, self._discovery
        return (
            ("gossamer.xds.clients", "{client}", "Streams that follow the mesh", lambda: len(ads.streams)),
            ("gossamer.mesh.age", "s", "How long ago the source last answered", lambda: discovery.age),
            (
                "gossamer.mesh.held",
                "{service}",
                "Services of which a mass removal waits for a second look",
                lambda: len(discovery.snapshot.held) if discovery.snapshot else 0,
            ),
            (
                "gossamer.policy.refusals",
                "{refusal}",
                "What people wrote and no client could follow",
                lambda: len(self._refused),
            ),
        )

    def _contracts(self) -> Contracts:
        return self._image.contracts if self._image else Contracts()

    async def _check(self, program: Path, files: Sequence[File]) -> Sequence[Finding]:
        mesh, consul = self._planning.mesh or Mesh(), self._settings.consul if self._hand else ""
        return await check(files, program, mesh=mesh, contracts=self._contracts(), consul=consul)

    def _believe(self, snapshot: Snapshot) -> None:
        del snapshot  # the newest is published, which may be another by then
        self._due.set()

    async def _publishing(self) -> None:
        """Publish a change at once, and those that come right after it together."""
        while True:
            await self._due.wait()
            self._due.clear()
            if self._discovery.snapshot:
                self._publish(self._discovery.snapshot)
                await self._serving()
            await asyncio.sleep(self._settings.coalescing)

    def _publish(self, snapshot: Snapshot) -> None:
        self._planning.read(snapshot.mesh)
        self._keep_audiences()
        contracts = self._contracts()
        for audience, planned in self._planning.plan(snapshot.mesh, contracts):
            self._tell(audience, planned)
        if ANYONE not in self._resources.audiences:
            self._tell(ANYONE, self._planning.begin(ANYONE))
        self._note()
        self._ads.publish(self._resources_of)
        self._call_policies.publish()
        self._changed.send()

    def _resources_of(self, view: View) -> ResourceSet:
        """Give what clients of a view are told; those that are the first of their audience are planned for now."""
        audience = self._planning.audience(view.audience)
        if audience not in self._resources.audiences:
            self._begin(audience)
        return self._resources.of(view.told_as(audience))

    def _begin(self, audience: Audience) -> None:
        """Plan for an audience that comes."""
        self._keep_audiences()
        self._tell(audience, self._planning.begin(audience))
        self._note()

    def _keep_audiences(self) -> None:
        """Forget the audiences of which no client is there any more; not anyone's, so that what is left out is said."""
        asked = {*(view.audience for view in self._ads.views), *self._call_policies.audiences}
        audiences = {ANYONE, *map(self._planning.audience, asked)}
        for room in (self._planning, self._resources, self._call_policies):
            room.keep(audiences)

    def _tell(self, audience: Audience, planned: Iterable[Planned]) -> None:
        plans = [each.plan for each in planned]
        self._call_policies.update(audience, plans)
        for problem in self._resources.update(audience, plans):
            log.error(
                "not sent, because some client would refuse it: what was sent before stays", extra={"of": problem}
            )

    def _note(self) -> None:
        """Log what is left out, once."""
        refusals = self._planning.refusals
        for refusal in sorted(refusals - self._refused):
            log.warning(
                "left out, because no client could follow it",
                extra={"of": refusal.service, "subject": refusal.subject, "reason": refusal.reason},
            )
        self._refused = refusals

    async def _serving(self) -> None:
        """Say once that there is something to serve."""
        if self._ready:
            return
        self._ready = True
        for name in ("", *CONTRACTS):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("the mesh was read completely", extra={"source": self._discovery.source})


def _metrics(settings: Settings) -> "Metrics":
    from gossamer_mesh.control.metrics import Metrics  # noqa: PLC0415 - brings an SDK, which not everybody needs

    return Metrics(settings.otlp, instance=settings.instance, interval=settings.otlp_interval)


def _source(settings: Settings) -> Source:
    return FileSource(settings.file) if settings.file else ConsulSource(settings.consul)
