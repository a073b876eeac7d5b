"""Entries and values are written to a real Consul, and never over what somebody else wrote meanwhile."""

import asyncio

import aiohttp.web
import pytest
from harness.consul import Consul

from gossamer_mesh.consul.writing import Conflict, Refused, Writer
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.local.parts import have

ROUTER = {"Routes": [{"Match": {"HTTP": {"PathPrefix": "/shop."}}, "Destination": {"RequestTimeout": "2s"}}]}


@pytest.fixture
async def writer(consul):
    async with Writer(consul.url) as writer:
        yield writer


@pytest.fixture
async def consul(tmp_path):
    async with Consul(tmp_path) as consul:
        await consul.speak_grpc()
        yield consul


async def test_what_is_written_is_read_again(writer):
    """A config entry and a value come back with the index that writing gave them."""
    for name, body in (("service-router/catalog", ROUTER), ("gossamer/faults/catalog", [{"from": "web"}])):
        assert await writer.read(name) is None
        index = await writer.write(name, body, index=0)
        found = await writer.read(name)
        assert found.index == index
    assert found.body == [{"from": "web"}]
    router = (await writer.read("service-router/catalog")).body
    assert (router["Name"], router["Routes"][0]["Destination"]["RequestTimeout"]) == ("catalog", "2s")


@pytest.mark.parametrize("name", ["service-router/catalog", "gossamer/defaults"])
async def test_what_somebody_else_wrote_is_not_overwritten(writer, name):
    """An index of before is refused, for writing, for writing the first time, and for removing."""
    first = await writer.write(name, ROUTER, index=0)
    await writer.write(name, ROUTER | {"Meta": {"by": "somebody"}}, index=first)
    for attempt in (writer.write(name, {}, index=first), writer.write(name, {}, index=0)):
        with pytest.raises(Conflict, match=f"^{name} was written by somebody else"):
            await attempt
    with pytest.raises(Conflict):
        await writer.remove(name, index=first)
    assert (await writer.read(name)).body["Meta"] == {"by": "somebody"}


@pytest.mark.parametrize("name", ["service-router/catalog", "gossamer/defaults"])
async def test_what_is_removed_is_gone(writer, name):
    index = await writer.write(name, ROUTER, index=0)
    await writer.remove(name, index=index)
    assert await writer.read(name) is None


@pytest.mark.parametrize("name", ["service-router/a/b c?d", "gossamer/a/b c?d"])
async def test_a_name_is_written_as_it_is(writer, consul, name):
    await writer.write(name, ROUTER, index=0)
    path = "/v1/config/service-router/a/b%20c%3Fd" if name.startswith("service") else "/v1/kv/gossamer/a/b%20c%3Fd"
    assert await consul.get(path)
    assert writer.address(name) == f"{consul.url}{path}"


@pytest.mark.parametrize("name", ["service-router/..", "gossamer/../x", "gossamer//x", "service-router/"])
async def test_a_name_that_would_lead_elsewhere_is_refused(writer, name):
    with pytest.raises(Refused, match="expected a name that a path can have"):
        await writer.write(name, ROUTER, index=0)


async def test_consul_says_why_it_does_not_take_an_entry(writer):
    """A route to a subset that is not there; and one that is no router at all."""
    subset = {"Routes": [{"Destination": {"ServiceSubset": "v9"}}]}
    with pytest.raises(Refused, match="v9"):
        await writer.write("service-router/catalog", subset, index=0)
    with pytest.raises(Refused, match="invalid config key"):
        await writer.write("service-router/catalog", {"Rotues": []}, index=0)


async def test_a_value_that_is_no_json_is_read_as_text(writer, consul):
    command = (have("consul"), "kv", "put", f"-http-addr={consul.url}", "gossamer/defaults", "{oops")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert (await writer.read("gossamer/defaults")).body == "{oops"


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("No cluster leader", SourceError),
        ("rpc error getting client: failed to get conn", SourceError),
        ('rpc error making call: service "leader" does not have a subset named "v9"', Refused),
    ],
)
async def test_an_agent_that_can_not_do_it_is_told_from_one_that_will_not(says, error):
    """The server here says what agents of a cluster say, which one by itself never does."""

    async def answer(_):
        return aiohttp.web.Response(status=500, text=says)

    runner = aiohttp.web.ServerRunner(aiohttp.web.Server(answer))
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with Writer(f"http://{host}:{port}") as writer:
        with pytest.raises(error, match=says):
            await writer.write("service-router/catalog", ROUTER, index=0)
    await runner.cleanup()


async def test_consul_that_is_away_is_no_refusal(writer, consul):
    await consul.kill()
    with pytest.raises(SourceError, match="expected Consul to answer at"):
        await writer.write("service-router/catalog", ROUTER, index=0)
