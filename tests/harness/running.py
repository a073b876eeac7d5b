"""A mesh for fault runs: instances of one service in a Consul, a control plane, and a client that calls."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from gossamer.mesh.v1.mesh_pb2 import Client as Follower
from gossamer.mesh.v1.mesh_pb2 import GetStatusRequest, GetStatusResponse
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub

from .client import Client
from .consul import Consul
from .control import PROGRAM, ControlPlane, followers
from .instance import CONTRACT, Instance


class Mesh:
    """What runs."""

    def __init__(self, consul: Consul, control: ControlPlane, client: Client, instances: Iterable[Instance]) -> None:
        self.consul, self.control, self.client, self.instances = consul, control, client, tuple(instances)

    async def register(self, service: str = "shop", instances: Iterable[Instance] = ()) -> None:
        """Register instances, all unless told otherwise, each with its name as its version."""
        for each in instances or self.instances:
            meta = {"version": each.name}
            await self.consul.register(service, f"{service}-{each.name}", each.address, contracts=[CONTRACT], meta=meta)

    async def write(self, *entries: dict[str, Any]) -> None:
        """Write config entries, of services that all speak gRPC."""
        await self.consul.speak_grpc()
        for entry in entries:
            await self.consul.put("/v1/config", entry)

    async def status(self) -> GetStatusResponse:
        """What the control plane says of itself."""
        async with grpc.aio.insecure_channel(self.control.address) as channel:
            return await MeshServiceStub(channel).GetStatus(GetStatusRequest(), timeout=5)

    async def followers(self) -> list[Follower]:
        """The clients that the control plane sees."""
        return await followers(self.control.address)

    async def until(self, condition: Callable[[GetStatusResponse], Any], what: str, within: float = 15.0) -> None:
        """Wait until the control plane says so of itself."""
        status = await self.status()
        try:
            async with asyncio.timeout(within):
                while not condition(status):
                    await asyncio.sleep(0.02)
                    status = await self.status()
        except TimeoutError as error:
            raise AssertionError(f"not {what} after {within} s:\n{status}") from error


@contextlib.asynccontextmanager
async def running(
    folder: Path, *options: str, names: str = "ab", program: Sequence[str | Path] = PROGRAM
) -> AsyncIterator[Mesh]:
    """Run a mesh, with an instance of each name; `options` go to the control plane, which is `program`."""
    async with contextlib.AsyncExitStack() as stack:
        consul = await stack.enter_async_context(Consul(folder / "consul"))
        control = await stack.enter_async_context(
            ControlPlane(folder / "control", consul.url, *options, program=program)
        )
        client = await stack.enter_async_context(Client(control.bootstrap(), folder / "client.log"))
        instances = [await stack.enter_async_context(Instance(name)) for name in names]
        mesh = Mesh(consul, control, client, instances)
        await mesh.register()
        await client.until("shop", names)
        yield mesh


def subsets(service: str, names: str = "ab", **more: Any) -> dict[str, Any]:
    """Make a resolver with a subset of each instance."""
    chosen = {name: {"Filter": f"Service.Meta.version == {name}"} for name in names}
    return {"Kind": "service-resolver", "Name": service, "Subsets": chosen, **more}


def splitter(service: str, **weights: int) -> dict[str, Any]:
    """Make a splitter over the subsets."""
    splits = [{"Weight": weight, "ServiceSubset": subset} for subset, weight in weights.items()]
    return {"Kind": "service-splitter", "Name": service, "Splits": splits}


def failures(answers: Counter[str]) -> dict[str, int]:
    """How calls failed."""
    return {answer: count for answer, count in answers.items() if answer.startswith("!")}


def seconds(duration: Duration) -> float:
    """Seconds of a duration."""
    return duration.ToTimedelta().total_seconds()
