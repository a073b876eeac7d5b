"""Official clients and what they hold: after a restart, after leaving and coming back, after a refusal, of any mesh.

But for the restart, the mesh is in memory and the control plane in this process.
"""

import asyncio
import contextlib
import signal

import grpc
import pytest
from harness.client import LANGUAGES, PYTHON, Client
from harness.consul import Consul
from harness.control import CONTRACTS, bootstrap
from harness.control import ControlPlane as ControlProcess
from harness.instance import CONTRACT, Instance
from harness.load import build
from harness.process import Child
from hypothesis import given, settings
from hypothesis import strategies as st

import gossamer_mesh.policy.plans
import gossamer_mesh.xds.spelling
from gossamer.mesh.v1.mesh_pb2 import RESOURCE_TYPE_CLUSTER_LOAD_ASSIGNMENT, ListClientsRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh import model
from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource

SERVICES = ("plain", "with%20space", "%E6%97%A5%E6%9C%AC")
"""As a client writes them."""

NAMES = ("plain", "with space", "日本")


async def until(condition, within=20.0):
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.01)


class Mesh:
    """A mesh in memory and a client that follows it."""

    def __init__(self, source, client, channel):
        self.source, self.client = source, client
        self._api = MeshServiceStub(channel)

    def put(self, *instances):
        """Have these run the shop."""
        self.source.put("shop", [registered(instance) for instance in instances])

    async def streams(self):
        return list((await self._api.ListClients(ListClientsRequest(), timeout=5)).clients)


def registered(instance):
    host, _, port = instance.address.rpartition(":")
    return model.Instance(id=instance.name, host=host, port=int(port), contracts=(CONTRACT,))


@contextlib.asynccontextmanager
async def serving(folder, program=PYTHON):
    source = MemorySource()
    async with (
        ControlPlane(Settings(listen="127.0.0.1:0", contracts=CONTRACTS, second_look=0, coalescing=0), source) as plane,
        Client(bootstrap(plane.address), folder / "client.log", program) as client,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        yield Mesh(source, client, channel)


async def test_a_go_client_applies_a_change_after_the_control_plane_was_killed(tmp_path):
    program = await asyncio.to_thread(build, tmp_path)
    async with (
        Consul(tmp_path / "consul") as consul,
        ControlProcess(tmp_path / "control", consul.url) as control,
        Instance("a") as a,
        Instance("b") as b,
    ):
        await consul.register("shop", "shop-a", a.address, contracts=[CONTRACT])
        words = ("-target=xds:///shop", "-rate=50", "-duration=100s")
        environment = {"GRPC_XDS_BOOTSTRAP_CONFIG": control.bootstrap()}
        client = await Child.start(program, *words, log=tmp_path / "client.log", environment=environment)
        try:
            await until(lambda: called(a))
            await control.end(signal.SIGKILL)
            await control.start()
            await consul.register("shop", "shop-b", b.address, contracts=[CONTRACT])
            await until(lambda: called(b), within=45)
        finally:
            await client.end(signal.SIGKILL)


async def called(instance):
    return instance.calls["Echo"] > 0


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_client_that_leaves_a_service_and_comes_back_gets_what_there_is_then(tmp_path, programs, language):
    async with serving(tmp_path, programs[language]) as mesh, Instance("a") as a, Instance("b") as b:

        async def nobody_follows():
            return not await mesh.streams()

        mesh.put(a)
        await mesh.client.until("shop", "a")
        await mesh.client.close("shop")
        await until(nobody_follows)
        mesh.put(b)
        await mesh.client.until("shop", "b")


@pytest.fixture
def careless(monkeypatch):
    """A control plane that checks nothing before it sends it."""
    monkeypatch.setattr(gossamer_mesh.policy.plans, "_unreachable", lambda _: "")
    monkeypatch.setattr(gossamer_mesh.xds.spelling, "require_legal", lambda _: None)


@pytest.mark.usefixtures("careless")
async def test_a_client_that_refuses_keeps_its_last_good_resource_and_takes_the_next(tmp_path):
    async with serving(tmp_path) as mesh, Instance("a") as a, Instance("b") as b:

        async def refused():
            return [each.type for stream in await mesh.streams() for each in stream.subscriptions if each.refusal]

        mesh.put(a)
        await mesh.client.until("shop", "a")
        mesh.source.put("shop", [model.Instance(id="c", host="shop.example", port=1, contracts=(CONTRACT,))])
        await until(refused)
        assert await refused() == [RESOURCE_TYPE_CLUSTER_LOAD_ASSIGNMENT]
        assert await mesh.client.call("shop", 5) == ["a"] * 5
        mesh.put(b)
        await mesh.client.until("shop", "b")
        assert await refused() == []


HOSTS = st.one_of(
    st.ip_addresses(v=4, network="127.0.0.0/8").map(str),
    st.sampled_from(["::1", "0:0::1", "::ffff:127.0.0.1", "0.0.0.0", "shop.example", ""]),
)

INSTANCES = st.lists(
    st.builds(
        model.Instance,
        id=st.text(max_size=3),
        host=HOSTS,
        port=st.one_of(st.integers(1, 3), st.sampled_from([0, 1023, 70_000])),
        health=st.sampled_from(model.Health),
        zone=st.text(max_size=3),
        contracts=st.sampled_from([(), (CONTRACT,), ("no.Such",)]),
    ),
    max_size=8,
    unique_by=lambda instance: instance.id,
)


def drawn(count):
    """So many random meshes, from the simplest on."""
    found = []

    @settings(max_examples=count, database=None, deadline=None)
    @given(st.tuples(*(INSTANCES for _ in NAMES)))
    def draw(change):
        found.append(change)

    draw()
    return found


async def refusals(mesh, changes):
    """Put one mesh after the other in front of a client, and tell what it refuses first."""
    mesh.put()
    for service in SERVICES:
        await mesh.client.call(service)
    for change in changes:
        for name, instances in zip(NAMES, change, strict=True):
            mesh.source.put(name, instances)
        while len(found := [each for stream in await mesh.streams() for each in stream.subscriptions]) < 12 or any(
            each.sent_version != each.accepted_version and not each.refusal for each in found
        ):
            pass
        if refused := [each.refusal for each in found if each.refusals]:
            return [change, *refused]
    # the test would show nothing if little had been sent
    assert max(int(each.accepted_version.rpartition("-")[2]) for each in found) > len(changes) / 2
    return []


async def test_whatever_is_registered_a_client_refuses_nothing_that_it_is_sent(tmp_path):
    changes = await asyncio.to_thread(drawn, 200)
    async with serving(tmp_path) as mesh, asyncio.timeout(60):
        assert await refusals(mesh, changes) == []


@pytest.mark.usefixtures("careless")
async def test_control_without_checks_a_client_refuses_some_of_it(tmp_path):
    changes = await asyncio.to_thread(drawn, 200)
    async with serving(tmp_path) as mesh, asyncio.timeout(60):
        assert await refusals(mesh, changes) != []
