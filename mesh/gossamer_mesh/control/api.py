"""gossamer.mesh.v1.MeshService: what the control plane knows and has told its clients. Changes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc

from gossamer.mesh.v1 import mesh_pb2, mesh_pb2_grpc
from gossamer_mesh.control import messages
from gossamer_mesh.control.listing import page_of
from gossamer_mesh.control.validation import require_valid
from gossamer_mesh.discovery import Discovery
from gossamer_mesh.model import Mesh, Service
from gossamer_mesh.xds import AdsServer, Signal
from gossamer_mesh.xds.node import Node

Context = grpc.aio.ServicerContext[Any, Any]


class MeshApi(mesh_pb2_grpc.MeshServiceServicer):
    """Answers from what clients are told, how fresh that is, and what the streams have said.

    A service that this names, clients that ask from then on are given: changes that are put together are shown here
    when they are sent, not when they were read.
    """

    def __init__(
        self,
        discovery: Discovery,
        ads: AdsServer,
        *,
        published: Callable[[], Mesh | None],
        changed: Signal,
        settle: float,
    ) -> None:
        """Look again whenever `changed` is sent; call no drain done before the mesh is known for `settle` seconds.

        `published` gives the mesh that clients are told of; none before any was read.
        """
        self._discovery = discovery
        self._published = published
        self._ads = ads
        self._changed = changed
        self._settle = settle

    async def ListServices(
        self, request: mesh_pb2.ListServicesRequest, context: Context
    ) -> mesh_pb2.ListServicesResponse:
        """List every service with its instances."""
        known = ((service.name, service) for service in self._mesh.present)
        services, token = await page_of(known, messages.service, request, context)
        return mesh_pb2.ListServicesResponse(services=services, next_page_token=token)

    async def WatchServices(
        self, request: mesh_pb2.WatchServicesRequest, context: Context
    ) -> AsyncIterator[mesh_pb2.WatchServicesResponse]:
        """Stream the services as they change, from when they were read completely once."""
        del request, context
        while self._published() is None:
            await self._changed.wait()
        told: dict[str, Service] | None = None
        while True:
            now = {service.name: service for service in self._mesh.present}
            if now != told:
                before = told or {}
                changed = [messages.service(s) for name, s in now.items() if s != before.get(name)]
                yield mesh_pb2.WatchServicesResponse(changed=changed, removed=sorted(before.keys() - now.keys()))
                told = now
            else:
                await self._changed.wait()

    async def GetStatus(self, request: mesh_pb2.GetStatusRequest, context: Context) -> mesh_pb2.GetStatusResponse:
        """Tell how fresh the snapshot is."""
        del request, context
        return messages.status(
            self._discovery.snapshot,
            age=self._discovery.age,
            source=self._discovery.source,
            error=self._discovery.error,
            clients=len(self._ads.streams),
        )

    async def ListClients(self, request: mesh_pb2.ListClientsRequest, context: Context) -> mesh_pb2.ListClientsResponse:
        """List the streams with what each accepted and refused."""
        streams = ((f"{stream.number:020}", stream) for stream in self._ads.streams)
        clients, token = await page_of(streams, messages.client, request, context)
        return mesh_pb2.ListClientsResponse(clients=clients, next_page_token=token)

    async def AwaitDrain(self, request: mesh_pb2.AwaitDrainRequest, context: Context) -> mesh_pb2.AwaitDrainResponse:
        """Wait until no client calls an instance any more."""
        await require_valid(request, context)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.max_wait.ToTimedelta().total_seconds()):
                await self._settled()
                while not self._drained(request):
                    await self._something()
        waiting_for = [client.id for client in self._calling(request)]
        return mesh_pb2.AwaitDrainResponse(drained=self._drained(request), waiting_for=waiting_for)

    @property
    def _mesh(self) -> Mesh:
        return self._published() or Mesh()

    async def _settled(self) -> None:
        """Wait until clients of a control plane that was here before had time to come back."""
        while not self._discovery.snapshot:
            await self._changed.wait()
        while (known := self._discovery.complete_for or 0) < self._settle:
            await asyncio.sleep(self._settle - known)

    def _drained(self, request: mesh_pb2.AwaitDrainRequest) -> bool:
        """Tell whether the mesh is known, has stopped offering the instance, and all its clients know."""
        known = self._discovery.complete_for
        if known is None or known < self._settle:
            return False
        instance = self._mesh.find(request.service, request.instance_id)
        return not (instance and instance.callable) and next(self._calling(request), None) is None

    def _calling(self, request: mesh_pb2.AwaitDrainRequest) -> Iterator[Node]:
        """Find the clients that may still call the instance, also when it was removed already."""
        instance = self._discovery.find(request.service, request.instance_id)
        return self._ads.calling(request.service, instance.address) if instance else iter(())

    async def _something(self) -> None:
        """Wait until the mesh changed or a client answered."""
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._ads.answered.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
