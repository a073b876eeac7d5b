"""Clients that are told the same cost the control plane one plan, and are told their own as soon as entries say so."""

import contextlib

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from harness.ads import CLUSTER, Stream

from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.model import Audience, Entries, Instance

LIMITED = {"UpstreamConfig": {"Overrides": [{"Name": "catalog", "Limits": {"MaxConcurrentRequests": 9}}]}}


@contextlib.asynccontextmanager
async def serving():
    source = MemorySource()
    async with ControlPlane(Settings(listen="127.0.0.1:0"), source) as plane:
        source.put("catalog", [Instance(id="a", host="127.0.0.1", port=1, zone="a")])
        yield plane, source


async def limit(stream):
    """Wait for the next cluster and give the most calls that it allows; none if it has no limit."""
    response = await stream.take()
    await stream.accept(response, "catalog")
    cluster = Cluster()
    response.resources[0].Unpack(cluster)
    return [threshold.max_requests.value for threshold in cluster.circuit_breakers.thresholds]


async def test_a_client_that_is_there_is_told_its_own_when_entries_begin_to_name_it_and_no_longer():
    async with (
        serving() as (plane, source),
        Stream(plane.address, "test/web/1", "web") as web,
        Stream(plane.address, "test/cart/1", "cart") as cart,
    ):
        for stream in (web, cart):
            await stream.ask(CLUSTER, "catalog")
            assert await limit(stream) == []
        source.write(Entries(defaults={"web": LIMITED}))
        assert await limit(web) == [9]
        source.write(Entries())
        assert await limit(web) == []
        source.write(Entries(defaults={"cart": LIMITED}))
        assert await limit(cart) == [9]


async def test_clients_that_each_say_they_are_somebody_else_are_planned_for_once():
    async with serving() as (plane, source), contextlib.AsyncExitStack() as stack:
        source.write(Entries(defaults={"web": LIMITED}, extras={"defaults": '{"zones": "prefer"}'}))
        for number in range(50):
            stream = Stream(plane.address, f"test/cli-{number}/1", f"cli-{number}", f"zone-{number}")
            await (await stack.enter_async_context(stream)).ask(CLUSTER, "catalog")
            assert await limit(stream) == []
        assert plane._resources.audiences == {Audience()}
        here = await stack.enter_async_context(Stream(plane.address, "test/web/1", "web", "a"))
        await here.ask(CLUSTER, "catalog")
        assert await limit(here) == [9]
        assert plane._resources.audiences == {Audience(), Audience(zone="a", caller="web")}
