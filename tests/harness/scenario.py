"""What a test of traffic has for itself: a service in a Consul that it shares, and a client of one language."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

import grpc

from gossamer.mesh.v1.mesh_pb2 import ListClientsRequest, ListServicesRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub

from .client import Client
from .consul import Consul
from .instance import CONTRACT, Instance

CALLER = "client"
"""The service that clients say they are of."""


class Scenario:
    """One service, which nobody else writes about."""

    def __init__(self, consul: Consul, control: str, client: Client, service: str, language: str) -> None:
        self.consul, self.client, self.service, self.language = consul, client, service, language
        self._control = control
        self.call = partial(client.call, service)
        self.timed = partial(client.timed, service)
        self.until = partial(client.until, service)

    async def register(self, *instances: Instance, service: str = "", **more: Any) -> None:
        """Register instances, each with its name as its version, and wait until the mesh knows them."""
        for each in instances:
            await self.consul.register(
                service or self.service,
                self.id_of(each, service),
                each.address,
                **{"contracts": [CONTRACT], "meta": {"version": each.name}, **more},
            )
        await self._known(service or self.service, {self.id_of(each, service) for each in instances})

    async def _known(self, service: str, ids: AbstractSet[str]) -> None:
        """Wait until the mesh knows these: a client that knows the first of them looks as if it followed an entry."""
        async with grpc.aio.insecure_channel(self._control) as channel, asyncio.timeout(20):
            found: frozenset[str] = frozenset()
            while not ids <= found:
                listed = await MeshServiceStub(channel).ListServices(ListServicesRequest(), timeout=10)
                found = frozenset(i.id for each in listed.services if each.name == service for i in each.instances)

    def id_of(self, instance: Instance, service: str = "") -> str:
        """Give the id that an instance is registered with."""
        return f"{service or self.service}-{instance.name}"

    async def maintain(self, *instances: Instance, enable: bool = True) -> None:
        """Put instances into maintenance, or take them out of it."""
        for each in instances:
            await self.consul.maintain(self.id_of(each), enable=enable)

    async def write(self, kind: str, service: str = "", **fields: Any) -> None:
        """Write a config entry."""
        await self.consul.put("/v1/config", {"Kind": f"service-{kind}", "Name": service or self.service, **fields})

    async def resolve(self, service: str = "", **fields: Any) -> None:
        """Write a resolver with a subset of each version."""
        chosen = {name: {"Filter": f"Service.Meta.version == {name}"} for name in "abcd"}
        await self.write("resolver", service, Subsets=chosen, **fields)

    async def split(self, **weights: float) -> None:
        """Write a splitter over subsets."""
        splits = [{"Weight": weight, "ServiceSubset": subset} for subset, weight in weights.items()]
        await self.write("splitter", Splits=splits)

    async def route(self, *routes: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
        """Write a router of matches and destinations."""
        written = [{**({"Match": {"HTTP": match}} if match else {}), "Destination": to} for match, to in routes]
        await self.write("router", Routes=written)

    async def limit(self, **fields: Any) -> None:
        """Write what the client does with calls of the service."""
        config = {"Overrides": [{"Name": self.service, **fields}]}
        await self.write("defaults", CALLER, Protocol="grpc", UpstreamConfig=config)

    async def fault(self, *faults: Mapping[str, Any]) -> None:
        """Write what is done on purpose to calls of the service."""
        await self.consul.put(f"/v1/kv/gossamer/faults/{self.service}", faults)


async def refusals(control: str) -> list[str]:
    """Why clients of the control plane at that address refused what they were sent."""
    async with grpc.aio.insecure_channel(control) as channel:
        found = await MeshServiceStub(channel).ListClients(ListClientsRequest(page_size=1000), timeout=10)
    return [each.refusal for client in found.clients for each in client.subscriptions if each.refusals]
