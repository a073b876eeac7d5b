"""Consul is killed for a minute, under load, and comes back without its data: no call fails, no instance goes.

The control reads a Consul that is away as one in which nothing is, as the first control plane that one writes does.
"""

import asyncio
import time

import grpc
import pytest
from harness.client import Client
from harness.consul import Consul
from harness.control import bootstrap
from harness.instance import CONTRACT, Instance
from harness.running import failures, running, seconds, splitter, subsets

from gossamer.mesh.v1.mesh_pb2 import ListServicesRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.consul import ConsulSource
from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.model import Mesh

AWAY_S = 60.0


async def instances(mesh):
    async with grpc.aio.insecure_channel(mesh.control.address) as channel:
        services = (await MeshServiceStub(channel).ListServices(ListServicesRequest(), timeout=5)).services
    return {service.name: [each.id for each in service.instances] for service in services}


@pytest.mark.timeout(300)
async def test_a_minute_without_consul_and_an_empty_one_after_it_cost_no_call_and_no_instance(tmp_path, programs):
    async with (
        running(tmp_path, "--second-look", "30", names="abc") as mesh,
        Client(mesh.control.bootstrap("test/client/2"), tmp_path / "go.log", programs["go"]) as go,
    ):
        await mesh.write(subsets("shop"), splitter("shop", a=50, b=50))
        clients = (mesh.client, go)
        for client in clients:
            await until_only(client, {"a", "b"})
            await client.start_load("shop", every=0.02)
        known = await instances(mesh)
        await mesh.consul.kill()
        await mesh.until(lambda status: status.source_error, "in error")
        before = await mesh.status()
        began = time.monotonic() - seconds(before.age)
        await mesh.until(lambda status: seconds(status.age) >= AWAY_S, "a minute old", within=AWAY_S + 10)
        after = await mesh.status()
        assert seconds(after.age) == pytest.approx(time.monotonic() - began, abs=3)
        assert (after.version, after.complete) == (before.version, True)
        assert await instances(mesh) == known == {"shop": ["shop-a", "shop-b", "shop-c"]}

        await mesh.consul.restart(empty=True)
        await mesh.until(lambda status: status.held_removals, "held")
        (held,) = (await mesh.status()).held_removals
        assert (held.service, held.instances_before, held.instances_after) == ("shop", 3, 0)
        assert await instances(mesh) == known
        await mesh.register()
        await mesh.until(lambda status: not status.held_removals, "at rest")
        for client in clients:
            answers = await client.stop_load()
            assert failures(answers) == {}
            assert answers.keys() == {"a", "b"}
            assert answers.total() > 20 * AWAY_S


async def until_only(client, names):
    async with asyncio.timeout(15):
        while set(await client.call("shop", 40)) != names:
            pass


class Forgetful(ConsulSource):
    """Takes no answer for an answer."""

    async def watch(self, listener):
        await super().watch(_Forgetting(listener))


class _Forgetting:
    def __init__(self, listener):
        self.heard, self.read = listener.heard, listener.read

    def failed(self, _):
        self.read(Mesh())


async def test_control_a_consul_that_is_away_and_taken_for_an_empty_one_costs_calls(tmp_path):
    settings = Settings(listen="127.0.0.1:0", second_look=0)
    async with (
        Consul(tmp_path / "consul") as consul,
        Instance("a") as a,
        ControlPlane(settings, Forgetful(consul.url)) as control,
        Client(bootstrap(control.address), tmp_path / "client.log") as client,
    ):
        await consul.register("shop", "shop-a", a.address, contracts=[CONTRACT])
        await client.until("shop", "a")
        await client.start_load("shop", every=0.02)
        await consul.kill()
        async with asyncio.timeout(15):
            while await client.call("shop") != ["!UNAVAILABLE"]:
                await asyncio.sleep(0.05)
        assert failures(await client.stop_load())
