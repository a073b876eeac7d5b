"""Which instance is called, as a real Consul has it: turns, failover, rings and outliers, in official gRPC clients.

The scenarios are those of gRPC's own xDS interoperability tests that a control plane has a part in.
"""

import asyncio
from collections import Counter

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_instances_are_called_in_turns(scenario, instances):
    await scenario.register(*instances)
    await scenario.until("abcd")
    assert Counter(await scenario.call(100)) == dict.fromkeys("abcd", 25)


async def test_instances_that_come_back_are_called_as_before(scenario, instances):
    a, b, *_ = instances
    await scenario.register(a, b)
    await scenario.until("ab")
    for each in (a, b):
        await each.stop()
    await scenario.until(["!UNAVAILABLE"], method="Wait")
    for each in (a, b):
        await each.start()
    await scenario.until("ab")


async def test_a_group_that_is_removed_under_load_costs_no_call(scenario, instances):
    """psm-interop's removal of a group of endpoints."""
    _, _, c, d = instances
    await scenario.register(*instances)
    await scenario.until("abcd")
    await scenario.client.start_load(scenario.service, every=0.005)
    for each in (c, d):
        await scenario.consul.deregister(scenario.id_of(each))
    await scenario.until("ab")
    assert (await scenario.client.stop_load()).keys() <= {"a", "b", "c", "d"}


async def failing_over(scenario, instances):
    a, b, c, d = instances
    await scenario.register(a, b)
    await scenario.register(c, d, service=f"{scenario.service}-second")
    await scenario.resolve(Failover={"*": {"Service": f"{scenario.service}-second"}})
    await scenario.until("ab")


async def test_others_take_over_when_nobody_is_left_and_hand_back(scenario, instances):
    a, b, *_ = instances
    await failing_over(scenario, instances)
    await scenario.maintain(a)
    await scenario.until("b")
    await scenario.maintain(b)
    await scenario.until("cd")
    await scenario.maintain(a, b, enable=False)
    await scenario.until("ab")


async def test_others_take_over_from_instances_that_died_before_consul_knows(scenario, instances):
    a, b, *_ = instances
    await failing_over(scenario, instances)
    for each in (a, b):
        await each.stop()
    await scenario.until("cd")
    for each in (a, b):
        await each.start()
    await scenario.until("ab")


RING = {"Policy": "ring_hash", "HashPolicies": [{"Field": "header", "FieldValue": "x-user"}]}


async def by_user(scenario, count=20):
    """Who answers each of some users."""
    homes = {}
    for number in range(count):
        user = f"user-{number}"
        homes[user] = set(await scenario.call(3, metadata={"x-user": user}))
    return homes


async def ring(scenario, instances, balancer):
    """Have instances called by a ring, and wait until they are."""
    await scenario.register(*instances)
    await scenario.until("abcd")
    await scenario.resolve(LoadBalancer=balancer)
    async with asyncio.timeout(20):
        while len(set(await scenario.call(40, metadata={"x-user": "somebody"}))) > 1:
            pass


async def test_a_ring_sends_equal_values_of_a_header_to_one_instance(scenario, instances):
    await ring(scenario, instances, RING)
    homes = await by_user(scenario)
    assert all(len(home) == 1 for home in homes.values())
    assert len(set.union(*homes.values())) > 1


async def test_most_users_stay_where_they_are_when_an_instance_leaves_a_ring(scenario, instances):
    """Not all of those who were not at home there: the others get more points on the ring, too."""
    a, *_ = instances
    await ring(scenario, instances, RING)
    before = await by_user(scenario)
    await scenario.maintain(a)
    async with asyncio.timeout(20):
        while {"a"} in (after := await by_user(scenario)).values():
            pass
    moved = [user for user, home in before.items() if home not in ({"a"}, after[user])]
    assert len(moved) <= 5, moved


async def test_a_ring_hashes_all_the_headers_that_it_is_told(scenario, instances):
    """psm-interop's affinity by several headers."""
    await ring(
        scenario,
        instances,
        {**RING, "HashPolicies": [*RING["HashPolicies"], {"Field": "header", "FieldValue": "x-room"}]},
    )
    rooms = [set(await scenario.call(3, metadata={"x-user": "one", "x-room": f"room-{n}"})) for n in range(20)]
    assert all(len(home) == 1 for home in rooms)
    assert len(set.union(*rooms)) > 1


async def test_instances_get_calls_by_their_weights(scenario, instances):
    a, b, *_ = instances
    await scenario.register(a)
    await scenario.register(b, weights={"Passing": 3, "Warning": 1})
    async with asyncio.timeout(20):
        while Counter(await scenario.call(100))["b"] < 65:
            pass
    answers = Counter(await scenario.call(400))
    assert answers.total() == answers["a"] + answers["b"]
    assert abs(answers["a"] - 100) <= 40, answers


OUTLIER = {"Interval": "500ms", "MaxFailures": 2, "BaseEjectionTime": "2s", "MaxEjectionPercent": 50}


async def test_an_instance_that_fails_too_much_is_left_alone_for_a_while(scenario, instances):
    a, b, *_ = instances
    await scenario.register(a, b)
    await scenario.until("ab", method="Wait")
    await scenario.limit(PassiveHealthCheck=OUTLIER)
    a.failing = True
    await scenario.until("b", method="Wait")
    a.failing = False
    await scenario.until("ab", method="Wait")


async def test_control_without_outliers_an_instance_that_fails_is_called_on(scenario, instances):
    a, b, *_ = instances
    await scenario.register(a, b)
    await scenario.consul.put(f"/v1/kv/gossamer/defaults/{scenario.service}", {"outlier": False})
    await scenario.until("ab", method="Wait")
    a.failing = True
    async with asyncio.timeout(20):
        while "!UNAVAILABLE" not in await scenario.call(4, method="Wait"):
            pass
    answers = Counter(await scenario.call(400, method="Wait"))
    assert abs(answers["b"] - 200) <= 20, answers
