"""Writes a world of the evaluator into a real Consul, in place of the one before."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping

from .consul import Consul
from .evaluator import Entry, Registered, World

AT_ONCE = 16
"""How many requests are open at once."""


class WorldWriter:
    """Knows what was written last."""

    def __init__(self, consul: Consul, addresses: Mapping[str, str]) -> None:
        """Register instances at the addresses of those whose names they have."""
        self._consul = consul
        self._addresses = addresses
        self._world = World([], [])
        self._count = 0

    async def write(self, world: World) -> None:
        """Write a world in an order in which nothing leads to what isn't there, which Consul would refuse."""
        before, self._world = self._world, world
        self._count += 1
        for kind in ("service-router", "service-splitter"):
            await _together(map(self._delete, _of(before, kind)))
        await _together(map(self._put, map(_bare, _of(before, "service-resolver"))))
        for kind in ("service-resolver", "service-defaults"):
            await _together(map(self._delete, _of(before, kind)))
        await self._register(world.instances, before.instances)
        await _together(map(self._put, _of(world, "service-defaults")))
        await _together(map(self._put, map(_bare, _of(world, "service-resolver"))))
        for kind in ("service-resolver", "service-splitter", "service-router"):
            await _together(map(self._put, _of(world, kind)))
        await self._write_extras(world, before)

    async def _put(self, entry: Entry) -> None:
        await self._consul.put("/v1/config", entry)

    async def _delete(self, entry: Entry) -> None:
        await self._consul.delete(f"/v1/config/{entry['Kind']}/{entry['Name']}")

    async def _register(self, instances: Iterable[Registered], before: Iterable[Registered]) -> None:
        gone = {_id(each) for each in before} - {_id(each) for each in instances}
        await _together(self._consul.deregister(each) for each in gone)
        await _together(map(self._register_one, instances))

    async def _register_one(self, instance: Registered) -> None:
        host, _, port = self._addresses[instance.name].rpartition(":")
        definition = {
            "Name": instance.service,
            "ID": _id(instance),
            "Address": host,
            "Port": int(port),
            "Meta": {**instance.meta},
            "Weights": {**instance.weights},
            "Check": {
                # of its own each time, or Consul would keep what the one before said; none of them is ever made
                "CheckID": f"{_id(instance)}-{self._count}",
                "Status": instance.status,
                "GRPC": self._addresses[instance.name],
                "Interval": "8760h",
            },
        }
        await self._consul.put("/v1/agent/service/register?replace-existing-checks=true", definition)

    async def _write_extras(self, world: World, before: World) -> None:
        gone = before.faults.keys() - world.faults.keys()
        await _together(self._consul.delete(f"/v1/kv/gossamer/faults/{name}") for name in gone)
        for name, faults in world.faults.items():
            await self._consul.put(f"/v1/kv/gossamer/faults/{name}", [*faults])
        await self._consul.put("/v1/kv/gossamer/defaults", {**world.defaults})


def _of(world: World, kind: str) -> list[Entry]:
    return [entry for entry in world.entries if entry["Kind"] == kind]


def _bare(resolver: Entry) -> Entry:
    """Make a resolver that leads nowhere: two that lead to each other can't be written one after the other."""
    return {key: resolver[key] for key in ("Kind", "Name", "Subsets")}


def _id(instance: Registered) -> str:
    return f"{instance.service}-{instance.name}"


async def _together(requests: Iterable[Awaitable[None]]) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(request: Awaitable[None]) -> None:
        async with free:
            await request

    await asyncio.gather(*map(one, requests))
