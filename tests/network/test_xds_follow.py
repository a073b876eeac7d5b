"""Official Python gRPC clients follow a real Consul through the control plane: who is called, and how soon.

Every test has a service of its own in one Consul and one control plane; those that break something start their own.
"""

import asyncio
from collections import Counter
from urllib.parse import quote

import pytest
import pytest_asyncio
from harness.client import Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT, Instance

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
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
    async with Instance("a") as a, Instance("b") as b, Instance("c") as c:
        yield a, b, c


async def register(consul, service, *instances):
    for instance in instances:
        await consul.register(service, f"{service}-{instance.name}", instance.address, contracts=[CONTRACT])


def roughly(counts, expected):
    """Whether it is what is expected within a tenth: the round begins again when a connection does."""
    return counts.keys() == expected.keys() and all(abs(counts[key] - n) <= n / 10 for key, n in expected.items())


async def test_calls_are_spread_evenly_over_the_instances(consul, client, instances):
    await register(consul, "even", *instances)
    await client.until("even", "abc")
    assert roughly(Counter(await client.call("even", 300)), {"a": 100, "b": 100, "c": 100})


async def test_a_new_instance_gets_its_share(consul, client, instances):
    a, b, c = instances
    await register(consul, "new", a, b)
    await client.until("new", "ab")
    await register(consul, "new", c)
    await client.until("new", "abc")


async def test_an_instance_in_maintenance_gets_no_calls_until_it_is_over(consul, client, instances):
    await register(consul, "maintenance", *instances)
    await client.until("maintenance", "abc")
    await consul.maintain("maintenance-a")
    await client.until("maintenance", "bc")
    await consul.maintain("maintenance-a", enable=False)
    await client.until("maintenance", "abc")


async def test_one_of_two_whose_check_fails_gets_no_calls_until_it_passes_again(consul, client, instances):
    a, b, _ = instances
    await register(consul, "sick", a, b)
    await client.until("sick", "ab")
    await a.healthy(healthy=False)
    await client.until("sick", "b")
    await a.healthy()
    await client.until("sick", "ab")


async def test_a_deregistered_instance_gets_no_calls(consul, client, instances):
    await register(consul, "deregistered", *instances)
    await client.until("deregistered", "abc")
    await consul.deregister("deregistered-b")
    await client.until("deregistered", "ac")


async def test_a_service_that_comes_later_is_refused_at_once_and_then_served(consul, client, instances):
    assert await client.call("later", timeout=5) == ["!UNAVAILABLE"]
    await register(consul, "later", *instances)
    await client.until("later", "abc")


async def test_a_service_without_healthy_instance_is_refused_at_once_and_recovers(consul, client, instances):
    a, _, _ = instances
    await register(consul, "none", a)
    await client.until("none", "a")
    await consul.maintain("none-a")
    async with asyncio.timeout(15):
        while await client.call("none") != ["!UNAVAILABLE"]:
            pass
    await consul.maintain("none-a", enable=False)
    await client.until("none", "a")


async def test_a_service_whose_checks_never_passed_is_refused_at_once(consul, client, instances):
    a, _, _ = instances
    await a.healthy(healthy=False)
    await consul.register("never", "never-a", a.address, status="critical")
    assert await client.call("never", timeout=5) == ["!UNAVAILABLE"]


async def test_a_client_holds_what_the_control_plane_sent_and_has_accepted_it(consul, client, instances):
    await register(consul, "judged", *instances)
    await client.until("judged", "abc")
    held = {(each["type"], each["state"]) for each in await client.config() if each["name"] == "judged"}
    assert held == {
        ("Listener", "ACKED"),
        ("RouteConfiguration", "ACKED"),
        ("Cluster", "ACKED"),
        ("ClusterLoadAssignment", "ACKED"),
    }


async def test_a_method_without_side_effects_is_tried_again_where_it_is_unavailable(consul, client, instances):
    a, b, _ = instances
    await register(consul, "retried", a, b)
    await client.until("retried", "ab")
    a.failing = True
    assert Counter(await client.call("retried", 50)) == {"b": 50}
    assert a.calls["Echo"] > 0


async def test_control_a_method_that_is_not_marked_is_never_tried_again(consul, client, instances):
    a, b, _ = instances
    await register(consul, "once", a, b)
    await client.until("once", "ab")
    a.failing = True
    answers = Counter(await client.call("once", 50, method="Wait"))
    assert roughly(answers, {"b": 25, "!UNAVAILABLE": 25})
    assert a.calls["Wait"] + b.calls["Wait"] == 50


async def test_an_instance_that_says_no_contracts_is_never_tried_again(consul, client, instances):
    a, b, _ = instances
    for instance in (a, b):
        await consul.register("silent", f"silent-{instance.name}", instance.address)
    await client.until("silent", "ab")
    a.failing = True
    assert roughly(Counter(await client.call("silent", 50)), {"b": 25, "!UNAVAILABLE": 25})


async def test_instances_of_several_zones_and_of_none_are_called_alike(consul, client, instances):
    for instance, zone in zip(instances, ("x", "y", ""), strict=True):
        await consul.register("zoned", f"zoned-{instance.name}", instance.address, meta={"zone": zone})
    async with asyncio.timeout(15):
        while set(await client.call("zoned", 60)) != {"a", "b", "c"}:
            pass
    answers = Counter(await client.call("zoned", 600))
    assert all(120 < answers[name] < 280 for name in "abc"), answers


@pytest.mark.parametrize("name", ["a.b", "UPPER_case", "with space", "sl/ash", "50%25", "日本", "x" * 200])
async def test_a_service_of_any_name_is_followed(consul, client, instances, name):
    a, _, _ = instances
    await consul.register(name, f"id-{name.encode().hex()}", a.address)
    await client.until(quote(name, safe=""), "a")
