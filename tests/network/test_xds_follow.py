"""Official gRPC clients of every language follow a real Consul through the control plane: who is called, and how soon.

Every test has a service of its own in one Consul and one control plane.
"""

import asyncio
from collections import Counter
from urllib.parse import quote

import pytest
import pytest_asyncio
from harness.instance import Instance

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def instances():
    async with Instance("a") as a, Instance("b") as b, Instance("c") as c:
        yield a, b, c


def roughly(counts, expected):
    """Whether it is what is expected within a tenth: the round begins again when a connection does."""
    return counts.keys() == expected.keys() and all(abs(counts[key] - n) <= n / 10 for key, n in expected.items())


async def test_calls_are_spread_evenly_over_the_instances(scenario, instances):
    await scenario.register(*instances)
    await scenario.until("abc")
    assert roughly(Counter(await scenario.call(300)), {"a": 100, "b": 100, "c": 100})


async def test_a_new_instance_gets_its_share(scenario, instances):
    a, b, c = instances
    await scenario.register(a, b)
    await scenario.until("ab")
    await scenario.register(c)
    await scenario.until("abc")


async def test_an_instance_in_maintenance_gets_no_calls_until_it_is_over(scenario, instances):
    await scenario.register(*instances)
    await scenario.until("abc")
    await scenario.maintain(instances[0])
    await scenario.until("bc")
    await scenario.maintain(instances[0], enable=False)
    await scenario.until("abc")


async def test_one_of_two_whose_check_fails_gets_no_calls_until_it_passes_again(scenario, instances):
    a, b, _ = instances
    await scenario.register(a, b)
    await scenario.until("ab")
    await a.healthy(healthy=False)
    await scenario.until("b")
    await a.healthy()
    await scenario.until("ab")


async def test_a_deregistered_instance_gets_no_calls(scenario, instances):
    await scenario.register(*instances)
    await scenario.until("abc")
    await scenario.consul.deregister(scenario.id_of(instances[1]))
    await scenario.until("ac")


async def test_a_service_that_comes_later_is_refused_at_once_and_then_served(scenario, instances):
    assert await scenario.call(timeout=5) == ["!UNAVAILABLE"]
    await scenario.register(*instances)
    await scenario.until("abc")


async def test_a_service_without_healthy_instance_is_refused_at_once_and_recovers(scenario, instances):
    a, _, _ = instances
    await scenario.register(a)
    await scenario.until("a")
    await scenario.maintain(a)
    async with asyncio.timeout(15):
        while await scenario.call() != ["!UNAVAILABLE"]:
            pass
    await scenario.maintain(instances[0], enable=False)
    await scenario.until("a")


async def test_a_service_whose_checks_never_passed_is_refused_at_once(scenario, instances):
    a, _, _ = instances
    await a.healthy(healthy=False)
    await scenario.register(a, status="critical")
    assert await scenario.call(timeout=5) == ["!UNAVAILABLE"]


async def test_a_method_without_side_effects_is_tried_again_where_it_is_unavailable(scenario, instances):
    a, b, _ = instances
    await scenario.register(a, b)
    await scenario.until("ab")
    a.failing = True
    assert Counter(await scenario.call(50)) == {"b": 50}
    assert a.calls["Echo"] > 0


async def test_control_a_method_that_is_not_marked_is_never_tried_again(scenario, instances):
    a, b, _ = instances
    await scenario.register(a, b)
    await scenario.until("ab")
    a.failing = True
    answers = Counter(await scenario.call(50, method="Wait"))
    assert roughly(answers, {"b": 25, "!UNAVAILABLE": 25})
    assert a.calls["Wait"] + b.calls["Wait"] == 50


async def test_an_instance_that_says_no_contracts_is_never_tried_again(scenario, instances):
    a, b, _ = instances
    for instance in (a, b):
        await scenario.register(instance, contracts=[])
    await scenario.until("ab")
    a.failing = True
    assert roughly(Counter(await scenario.call(50)), {"b": 25, "!UNAVAILABLE": 25})


async def test_instances_of_several_zones_and_of_none_are_called_alike(scenario, instances):
    for instance, zone in zip(instances, ("x", "y", ""), strict=True):
        await scenario.register(instance, meta={"zone": zone})
    async with asyncio.timeout(15):
        while set(await scenario.call(60)) != {"a", "b", "c"}:
            pass
    answers = Counter(await scenario.call(600))
    assert all(120 < answers[name] < 280 for name in "abc"), answers


@pytest.mark.parametrize("name", ["a.b", "UPPER_case", "with space", "sl/ash", "50%25", "日本", "x" * 200])
async def test_a_service_of_any_name_is_followed(scenario, instances, name):
    a, _, _ = instances
    await scenario.consul.register(name, f"id-{name.encode().hex()}", a.address)
    await scenario.client.until(quote(name, safe=""), "a")
