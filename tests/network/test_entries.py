"""What consul/ declares is brought into a real Consul, and what others wrote there stays."""

import asyncio

import pytest
from harness.consul import Consul

from gossamer_mesh.consul.writing import Writer
from gossamer_mesh.declare.entry import Entry
from gossamer_mesh.errors import Problem
from gossamer_mesh.local.entries import bring, same
from gossamer_mesh.local.parts import have


def entry(kind, **body):
    return Entry(file=f"consul/entries/{kind}.json", name=f"{kind}/shop", body={"Kind": kind, "Name": "shop", **body})


def routed(timeout, **destination):
    return entry("service-router", Routes=[{"Destination": {"RequestTimeout": timeout, **destination}}])


SUBSETS = entry("service-resolver", Subsets={"v1": {"Filter": "Service.Meta.version == v1"}})
FAULTS = Entry(file="consul/gossamer/faults/shop.json", name="gossamer/faults/shop", body=[{"abort": {"status": "OK"}}])


@pytest.fixture
async def consul(tmp_path):
    async with Consul(tmp_path / "consul") as consul:
        await consul.speak_grpc()
        yield consul


@pytest.fixture
def up(consul, tmp_path):
    """Brings entries as a stack does; gives what was left and what was refused."""

    async def bring_them(*entries, record="entries.json"):
        outcome = await bring(entries, consul.url, tmp_path / record)
        return outcome.left, outcome.refused

    return bring_them


async def timeout_of(consul):
    routes = (await consul.get("/v1/config/service-router/shop"))["Routes"]
    return routes[0]["Destination"].get("RequestTimeout")


async def test_entries_are_written_in_an_order_that_consul_takes(consul, up):
    """The router is the first by name, and needs the subset of the resolver."""
    assert await up(routed("2s", ServiceSubset="v1"), SUBSETS, FAULTS) == ([], [])
    assert await timeout_of(consul) == "2s"
    assert len(await consul.get("/v1/kv/gossamer/?recurse")) == 1


async def test_what_is_as_declared_is_not_written_again(consul, up):
    """Whether this stack wrote it or, its record lost, another one."""
    await up(routed("2s"), SUBSETS, FAULTS)
    index = (await consul.get("/v1/config/service-router/shop"))["ModifyIndex"]
    assert await up(routed("2s"), SUBSETS, FAULTS) == ([], [])
    assert await up(routed("2s"), SUBSETS, FAULTS, record="other.json") == ([], [])
    assert (await consul.get("/v1/config/service-router/shop"))["ModifyIndex"] == index


async def test_a_changed_file_is_followed_also_where_it_says_less(consul, up):
    await up(routed("2s"))
    assert await up(routed("3s")) == ([], [])
    assert await timeout_of(consul) == "3s"
    assert await up(entry("service-router", Routes=[{"Destination": {}}])) == ([], [])
    assert await timeout_of(consul) in {None, "0s"}


async def test_an_entry_without_its_file_is_removed(consul, up):
    """The resolver too, which Consul lets go only after the router that needs it."""
    await up(routed("2s", ServiceSubset="v1"), SUBSETS, FAULTS)
    assert await up() == ([], [])
    for path in ("service-router", "service-resolver"):
        assert await consul.get(f"/v1/config/{path}") == []


async def test_what_somebody_else_wrote_stays_and_is_said(consul, up):
    """Before the first time, and after it; with the consul program, as a person does."""
    other = await asyncio.create_subprocess_exec(
        have("consul"), "config", "write", f"-http-addr={consul.url}", "-", stdin=asyncio.subprocess.PIPE
    )
    text = 'Kind = "service-router"\nName = "shop"\nRoutes = [{ Destination { RequestTimeout = "9s" } }]'
    await asyncio.wait_for(other.communicate(text.encode()), 10)
    left, refused = await up(routed("2s"))
    assert left == [
        (
            "service-router/shop was written by somebody else, and stays so; to have that of consul/entries/"
            f"service-router.json: curl -X DELETE {consul.url}/v1/config/service-router/shop, then gossamer up"
        )
    ]
    assert refused == []
    assert await timeout_of(consul) == "9s"
    assert await up() == ([], [])
    assert await timeout_of(consul) == "9s"


async def test_a_change_of_what_we_wrote_stays_too(consul, up):
    """The control is the test of a changed file: nobody else's change, and it is overwritten."""
    await up(routed("2s"))
    async with Writer(consul.url) as writer:
        found = await writer.read("service-router/shop")
        await writer.write("service-router/shop", routed("9s").body, index=found.index)
    left, _ = await up(routed("3s"))
    assert left[0].startswith("service-router/shop was written by somebody else")
    assert await timeout_of(consul) == "9s"


async def test_what_consul_refuses_is_said_and_the_rest_is_written(consul, up):
    left, refused = await up(entry("service-splitter", Splits=[{"Weight": 30}]), routed("2s"))
    assert left == []
    (reason,) = refused
    assert reason.startswith("consul/entries/service-splitter.json: Consul does not take it: ")
    assert "must be 100" in reason
    assert await timeout_of(consul) == "2s"


async def test_without_consul_nothing_is_forgotten(consul, up):
    await up(routed("2s"))
    await consul.kill()
    with pytest.raises(Problem, match=r"the entries of consul/ can't be written: expected Consul to answer"):
        await up(routed("3s"))
    await consul.start()
    assert await up(routed("3s")) == ([], [])
    assert await timeout_of(consul) == "3s"


def test_an_entry_says_the_same_with_the_zeros_that_consul_adds():
    found = {"Name": "a", "ModifyIndex": 7, "Subsets": {"v1": {"Filter": "x", "OnlyPassing": False}}, "Meta": None}
    assert same(found, {"Name": "a", "Subsets": {"v1": {"Filter": "x"}}})
    assert not same(found, {"Name": "a", "Subsets": {"v1": {"Filter": "y"}}})
    assert not same(found, {"Name": "a"})
