"""The control plane is killed for a minute, under load: no call fails, and what changed meanwhile is followed soon.

How soon a client is back is for its library to say: gRPC's core looks again after pauses that grow by 1.6 up to two
minutes, and takes no setting for that (xds.md section 5). The kits see to it within seconds.
"""

import asyncio
import contextlib
import json
import signal
import time
from functools import partial

import grpc
import pytest
from conformance.peers import Load
from harness.client import Client
from harness.control import ControlPlane
from harness.instance import Instance
from harness.probe import Probe, languages, launch
from harness.running import failures, running, splitter, subsets

from gossamer.mesh.v1.mesh_pb2 import GetStatusRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer.probe.v1 import probe_pb2 as pb
from gossamer_mesh.local.launch import bootstrap

AWAY_S = 60.0
SOON_S = 5.0
"""Within so many seconds what changed must be followed."""
CORE_BACK_S = 60.0
"""Within so many seconds gRPC's core is back after a minute: the longest pause by then is 43, give or take a fifth."""


@contextlib.asynccontextmanager
async def kit_client(mesh, folder, language):
    """A client on a kit: the language's probe, which calls what it is told to."""
    name = f"caller-{language.name}"
    environment = {
        **language.environment,
        "GOSSAMER_SERVICE": "caller",
        "GOSSAMER_INSTANCE": name,
        "CONSUL_HTTP_ADDR": mesh.consul.address,
        "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap("test", "caller", name, "local", mesh.control.address, by_kit=True),
        "OTEL_SDK_DISABLED": "true",
    }
    command = await asyncio.to_thread(language.prepared, folder)
    child = await launch(command, environment, folder / f"{name}.log")
    probe = Probe(language.name, "caller", name, child, await child.announcement())
    try:
        yield probe
    finally:
        await probe.end(signal.SIGKILL)


def asking(probe, service):
    """Make calls of a service through a probe."""
    request = pb.CallRequest(service=service, method=pb.CALL_METHOD_ECHO)

    async def call():
        return await probe.stub.Call(request, timeout=10)

    return call


async def until_answered(call, instances):
    """Call until exactly these answer. Gives the time of day."""
    while {await call() for _ in range(8)} != instances:
        await asyncio.sleep(0.02)
    return time.time()


async def answered(call):
    """Give who answered a call, or how it failed.

    grpc-go fails a call that comes just when a route moves to a cluster that it did not have before, whatever is to be
    tried again ("unknown cluster selected for RPC"); until it has, that is no answer yet.
    """
    try:
        return (await call()).hop.instance
    except grpc.aio.AioRpcError as error:
        return f"!{error.code().name}"


@pytest.mark.timeout(300)
async def test_a_minute_without_a_control_plane_costs_no_call_and_changes_are_followed_soon_after(tmp_path, programs):
    async with (
        running(tmp_path) as mesh,
        Client(mesh.control.bootstrap("test/client/2"), tmp_path / "go.log", programs["go"]) as go,
        contextlib.AsyncExitStack() as stack,
        Instance("c") as c,
    ):
        core, clients = mesh.client, (mesh.client, go)
        kits = [await stack.enter_async_context(kit_client(mesh, tmp_path, language)) for language in languages()]
        await mesh.register("moved")
        await mesh.write(subsets("moved"), splitter("moved", a=100, b=0))
        calls = [(asking(kit, "shop"), asking(kit, "moved")) for kit in kits]

        for client in clients:
            await client.until("moved", "a")
            await client.until("shop", "ab")
            await client.start_load("shop", every=0.02)
        for shop, moved in calls:
            await until_answered(partial(answered, moved), {"a"})
            await until_answered(partial(answered, shop), {"a", "b"})
        async with contextlib.AsyncExitStack() as loading:
            loads = [await loading.enter_async_context(Load(shop, rate=25)) for shop, _ in calls]
            held = [[each["name"], each["version"]] for each in await core.config()]
            await mesh.control.end(signal.SIGKILL)
            ends = time.monotonic() + AWAY_S
            await mesh.register(instances=[c])
            await mesh.consul.deregister("shop-b")
            await mesh.write(splitter("moved", a=0, b=100))
            while time.monotonic() < ends:
                assert set(await core.call("shop", 8)) == {"a", "b"}
                for _, moved in calls:
                    assert {await answered(moved) for _ in range(8)} == {"a"}
                await asyncio.sleep(1)
            assert [[each["name"], each["version"]] for each in await core.config()] == held

            await mesh.control.start()
            back = time.time()
            async with asyncio.timeout(SOON_S):
                for shop, moved in calls:
                    await until_answered(partial(answered, shop), {"a", "c"})
                    await until_answered(partial(answered, moved), {"b"})
            async with asyncio.timeout(CORE_BACK_S):
                seen = await until_answered(lambda: one(core, "shop"), {"a", "c"})
                seen = max(seen, await until_answered(lambda: one(core, "moved"), {"b"}))
            came = [each.connect_time.ToSeconds() for each in await mesh.followers() if each.node_id == "test/client/1"]
            assert seen - max(came) < SOON_S, f"back {max(came) - back} s after the control plane"
        for load in loads:
            assert load.failed == {}
        for client in clients:
            answers = await client.stop_load()
            assert failures(answers) == {}
            assert answers.total() > 20 * AWAY_S


async def one(client, service):
    (answer,) = await client.call(service)
    return answer


async def test_control_a_control_plane_that_comes_back_and_serves_before_it_has_read_costs_calls(tmp_path):
    async with running(tmp_path) as mesh:
        await mesh.client.start_load("shop")
        await mesh.control.end(signal.SIGKILL)
        nothing = tmp_path / "nothing.json"
        nothing.write_text(json.dumps({"services": {}}))
        hasty = ControlPlane(tmp_path / "hasty", "", "--file", str(nothing))
        hasty.address = mesh.control.address
        async with hasty, asyncio.timeout(30):
            while await mesh.client.call("shop") != ["!UNAVAILABLE"]:
                await asyncio.sleep(0.05)
        assert failures(await mesh.client.stop_load())


@pytest.mark.timeout(120)
async def test_a_control_plane_that_has_nothing_to_tell_for_long_after_a_start_costs_no_call(tmp_path, programs):
    """Libraries call a resource missing 15 seconds after they asked for it, but for those they have (A57)."""
    mesh, away = tmp_path / "mesh.json", tmp_path / "away.json"
    control = ControlPlane(tmp_path / "control", "", "--file", str(mesh))
    node = iter(range(1, 10))
    async with Instance("a") as a, contextlib.AsyncExitStack() as stack:

        async def client(language):
            number = next(node)
            bootstrap = control.bootstrap(f"test/client/{number}")
            return await stack.enter_async_context(Client(bootstrap, tmp_path / f"{number}.log", programs[language]))

        mesh.write_text(json.dumps({"services": {"shop": [{"id": "a", "address": a.address}]}}))
        await stack.enter_async_context(control)
        clients = [await client(language) for language in ("python", "go")]
        for each in clients:
            await each.until("shop", "a")
            await each.start_load("shop")
        await control.end(signal.SIGKILL)
        mesh.rename(away)
        await control.start()
        await until_followed(control.address, 2)
        late = await client("python")
        ((answer, seconds),) = await late.timed("shop", timeout=40)
        assert answer == "!UNAVAILABLE"
        assert seconds > 14  # so the time was over for the two others as well
        assert [await each.call("shop") for each in clients] == [["a"], ["a"]]
        away.rename(mesh)
        await late.until("shop", "a")
        for each in clients:
            assert failures(await each.stop_load()) == {}


async def until_followed(address, clients):
    """Wait until so many clients are there."""
    async with asyncio.timeout(CORE_BACK_S), grpc.aio.insecure_channel(address) as channel:
        while (await MeshServiceStub(channel).GetStatus(GetStatusRequest(), timeout=5)).clients < clients:
            await asyncio.sleep(0.02)
