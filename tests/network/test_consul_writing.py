"""Entries and values are written to a real Consul, and never over what somebody else wrote meanwhile."""

import asyncio

import pytest
from harness.consul import Consul

from gossamer_mesh.consul.writing import Conflict, Refused, Writer
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.local.parts import have

ROUTER = {"Routes": [{"Match": {"HTTP": {"PathPrefix": "/shop."}}, "Destination": {"RequestTimeout": "2s"}}]}
GRPC = {"bootstrap": [{"kind": "proxy-defaults", "name": "global", "config": {"protocol": "grpc"}}]}


@pytest.fixture
async def writer(consul):
    async with Writer(consul.url) as writer:
        yield writer


@pytest.fixture
async def consul(tmp_path):
    async with Consul(tmp_path, config_entries=GRPC) as consul:
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


async def test_consul_that_is_away_is_no_refusal(writer, consul):
    await consul.kill()
    with pytest.raises(SourceError, match="expected Consul to answer at"):
        await writer.write("service-router/catalog", ROUTER, index=0)
