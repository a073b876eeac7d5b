"""What people write into a real Consul about traffic is what an official Python gRPC client does, soon after.

Every test has a service of its own in one Consul and one control plane. The entries are Consul's own, written as
`consul config write` writes them.
"""

import asyncio
import json
import math
from collections import Counter

import pytest
import pytest_asyncio
from harness.client import Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT, Instance

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = f"/{CONTRACT}/Echo"
REFUSED = "left out, because no client could follow it"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        await consul.put("/v1/config", {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "grpc"}})
        yield consul


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control(consul, tmp_path_factory):
    async with ControlPlane(tmp_path_factory.mktemp("control"), consul.url) as control:
        yield control


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(control, tmp_path_factory):
    async with Client(control.bootstrap(), tmp_path_factory.mktemp("client") / "client.log") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def instances():
    async with Instance("a") as a, Instance("b") as b:
        yield a, b


async def register(consul, service, *instances):
    """Register instances, each with its name as its version."""
    for each in instances:
        meta = {"version": each.name}
        await consul.register(service, f"{service}-{each.name}", each.address, contracts=[CONTRACT], meta=meta)


def subsets(service, **more):
    chosen = {name: {"Filter": f"Service.Meta.version == {name}"} for name in "ab"}
    return {"Kind": "service-resolver", "Name": service, "Subsets": chosen, **more}


def splitter(service, **weights):
    splits = [{"Weight": weight, "ServiceSubset": subset} for subset, weight in weights.items()]
    return {"Kind": "service-splitter", "Name": service, "Splits": splits}


async def write(consul, *entries):
    for entry in entries:
        await consul.put("/v1/config", entry)


async def logged(control, text):
    """Wait for a line of the log whose fields hold a text."""
    async with asyncio.timeout(20):
        while not (found := [line for line in control.logs() if text in json.dumps(line)]):
            await asyncio.sleep(0.05)
    return found[-1]


async def test_a_splitter_shares_calls_out(consul, client, instances):
    await register(consul, "split", *instances)
    await write(consul, subsets("split"), splitter("split", a=90, b=10))
    async with asyncio.timeout(20):
        while Counter(await client.call("split", 200))["b"] > 60:  # half of them, as long as nothing is written
            pass
    counts = Counter(await client.call("split", 1000))
    assert counts.keys() == {"a", "b"}
    assert abs(counts["b"] - 100) < 3 * math.sqrt(1000 * 0.1 * 0.9)


async def test_a_changed_split_moves_calls_and_fails_none(consul, client, instances):
    await register(consul, "moved", *instances)
    await write(consul, subsets("moved"), splitter("moved", a=100, b=0))
    await client.until("moved", "a")
    await write(consul, splitter("moved", a=0, b=100))
    await client.until("moved", "b")
    assert set(await client.call("moved", 100)) == {"b"}


async def test_a_default_subset_takes_all_calls_and_gives_them_back_when_it_is_deleted(consul, client, instances):
    await register(consul, "subset", *instances)
    await client.until("subset", "ab")
    await write(consul, subsets("subset", DefaultSubset="b"))
    await client.until("subset", "b")
    await consul.delete("/v1/config/service-resolver/subset")
    await client.until("subset", "ab")


async def test_an_instance_that_changes_its_version_changes_its_subset(consul, client, instances):
    _, b = instances
    await register(consul, "version", *instances)
    await write(consul, subsets("version", DefaultSubset="a"))
    await client.until("version", "a")
    await consul.register("version", "version-b", b.address, contracts=[CONTRACT], meta={"version": "a"})
    await client.until("version", "ab")


async def test_a_redirect_leads_a_name_without_instances_to_another_service(consul, client, instances):
    await register(consul, "new-name", *instances)
    await write(consul, {"Kind": "service-resolver", "Name": "old-name", "Redirect": {"Service": "new-name"}})
    await client.until("old-name", "ab")


async def test_a_failover_is_called_when_nobody_is_left(consul, client, instances):
    a, b = instances
    await register(consul, "first", a)
    await register(consul, "second", b)
    await write(consul, {"Kind": "service-resolver", "Name": "first", "Failover": {"*": {"Service": "second"}}})
    await client.until("first", "a")
    await consul.maintain("first-a")
    await client.until("first", "b")
    await consul.maintain("first-a", enable=False)
    await client.until("first", "a")


async def test_a_fault_written_under_gossamer_fails_the_share_of_calls_it_says(consul, client, instances):
    await register(consul, "faulty", *instances)
    await client.until("faulty", "ab")
    fault = [{"method": ECHO.removeprefix("/"), "abort": {"status": "PERMISSION_DENIED", "percent": 100}}]
    await consul.put("/v1/kv/gossamer/faults/faulty", fault)
    await client.until("faulty", ["!PERMISSION_DENIED"])
    await consul.delete("/v1/kv/gossamer/faults/faulty")
    await client.until("faulty", "ab")


async def test_what_no_client_could_follow_is_refused_with_its_field_and_the_last_good_stays(
    consul, control, client, instances
):
    await register(consul, "refused", *instances)
    await write(consul, subsets("refused", DefaultSubset="a"))
    await client.until("refused", "a")
    router = {
        "Kind": "service-router",
        "Name": "refused",
        "Routes": [
            {
                "Match": {"HTTP": {"PathPrefix": "/", "QueryParam": [{"Name": "x", "Present": True}]}},
                "Destination": {"ServiceSubset": "b"},
            }
        ],
    }
    await write(consul, router)
    line = await logged(control, "service-router/refused")
    assert line["message"] == REFUSED
    assert line["subject"] == "service-router/refused Routes[0].Match.HTTP.QueryParam"
    assert "match a header instead" in line["reason"]
    assert set(await client.call("refused", 50)) == {"a"}


async def test_a_filter_that_is_none_is_refused_and_everything_else_goes_on(consul, control, client, instances):
    await register(consul, "filter", *instances)
    chosen = {"x": {"Filter": "Bogus == x"}}  # Consul looks at its grammar only when it is written
    await write(consul, {"Kind": "service-resolver", "Name": "filter", "DefaultSubset": "x", "Subsets": chosen})
    line = await logged(control, "service-resolver/filter")
    assert "Bogus" in line["reason"]
    await client.until("filter", "ab")


async def test_consul_that_comes_back_empty_has_no_traffic_written(tmp_path, instances):
    async with (
        Consul(tmp_path / "consul") as consul,
        ControlPlane(tmp_path / "control", consul.url, "--second-look", "1") as control,
        Client(control.bootstrap(), tmp_path / "client.log") as client,
    ):
        await consul.put("/v1/config", {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "grpc"}})
        await register(consul, "gone", *instances)
        await write(consul, subsets("gone", DefaultSubset="a"))
        await client.until("gone", "a")
        await consul.restart(empty=True)
        await register(consul, "gone", *instances)
        await client.until("gone", "ab")
