"""What becomes of calls, as a real Consul has it: faults, retries, timeouts and limits, in official gRPC clients.

The scenarios are those of gRPC's own xDS interoperability tests. Python alone is told no timeouts of routes, since it
gets them wrong; its kit keeps them.
"""

import asyncio
from collections import Counter

import pytest
import pytest_asyncio
from harness.instance import CONTRACT, Instance

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = f"{CONTRACT}/Echo"
WAIT = f"/{CONTRACT}/Wait"


class Troubled(Instance):
    """Fails some calls of `Echo` in a row; takes as long for a call as its metadata says."""

    failures = 0

    async def Echo(self, request, context):
        self.failing, self.failures = self.failures > 0, self.failures - 1
        await self._sleep(context)
        return await super().Echo(request, context)

    async def Wait(self, request, context):
        await self._sleep(context)
        return await super().Wait(request, context)

    async def _sleep(self, context):
        await asyncio.sleep(float(dict(context.invocation_metadata()).get("x-sleep", 0)))


@pytest_asyncio.fixture(loop_scope="module")
async def troubled():
    async with Troubled("a") as instance:
        yield instance


def near(found, expected, of):
    """Within three standard deviations of what chance allows."""
    share = expected / of
    return abs(found - expected) <= 3 * (of * share * (1 - share)) ** 0.5


ARRIVED = {"headers": {"x-arrived": "1"}, "abort": {"status": "ABORTED"}}
"""A fault that tells whether the others have arrived."""


async def faulty(scenario, *faults):
    """Write faults and wait until they have arrived."""
    await scenario.until("a")
    await scenario.fault(ARRIVED, *faults)
    await scenario.until(["!ABORTED"], metadata={"x-arrived": "1"})


@pytest.mark.parametrize(("percent", "aborted"), [(100, 400), (0, 0), (50, 200)])
async def test_calls_are_aborted(scenario, troubled, percent, aborted):
    await scenario.register(troubled)
    await faulty(scenario, {"abort": {"status": "RESOURCE_EXHAUSTED", "percent": percent}})
    answers = Counter(await scenario.call(400))
    assert answers["a"] + answers["!RESOURCE_EXHAUSTED"] == 400
    assert near(answers["!RESOURCE_EXHAUSTED"], aborted, of=400), answers


@pytest.mark.parametrize(("percent", "delayed"), [(100, 100), (0, 0), (50, 50)])
async def test_calls_are_delayed(scenario, troubled, percent, delayed):
    await scenario.register(troubled)
    await faulty(scenario, {"delay": {"duration": "3s", "percent": percent}})
    calls = await scenario.timed(100, at_once=True, timeout=30)
    assert {call.answer for call in calls} == {"a"}
    assert near(sum(call.seconds >= 3 for call in calls), delayed, of=100)


@pytest.mark.parametrize(
    "spared",
    [{"headers": {"x-test": "2"}}, {"method": WAIT[1:]}, {"from": "somebody"}],
    ids=["header", "method", "caller"],
)
async def test_calls_that_a_fault_is_not_for_are_not_aborted(scenario, troubled, spared):
    await scenario.register(troubled)
    await faulty(scenario, {"abort": {"status": "RESOURCE_EXHAUSTED"}, **spared})
    assert await scenario.call(metadata={"x-test": "1"}) == ["a"]


async def test_a_fault_comes_and_goes_under_load_without_other_failures(scenario, troubled):
    await scenario.register(troubled)
    await scenario.until("a")
    await scenario.client.start_load(scenario.service, every=0.005)
    await scenario.fault({"method": ECHO, "abort": {"status": "RESOURCE_EXHAUSTED"}})
    await scenario.until(["!RESOURCE_EXHAUSTED"])
    await scenario.consul.delete(f"/v1/kv/gossamer/faults/{scenario.service}")
    await scenario.until("a")
    assert (await scenario.client.stop_load()).keys() == {"a", "!RESOURCE_EXHAUSTED"}


async def routed(scenario, troubled, **destination):
    """Have calls of Echo go by a route of their own, and wait until they do. What else is called has none."""
    await scenario.register(troubled)
    await scenario.resolve()
    await scenario.until("a")
    arrived = ({"Header": [{"Name": "x-arrived", "Present": True}]}, {"ServiceSubset": "b"})
    await scenario.route(arrived, ({"PathExact": f"/{ECHO}"}, destination))
    await scenario.until(["!UNAVAILABLE"], metadata={"x-arrived": "1"})


@pytest.mark.parametrize(("times", "answer"), [(2, "!UNAVAILABLE"), (3, "a")])
async def test_three_attempts_fail_where_four_are_needed(scenario, troubled, times, answer):
    await routed(scenario, troubled, NumRetries=times, RetryOn=["unavailable"])
    troubled.failures, troubled.calls["Echo"] = 3, 0
    assert await scenario.call() == [answer]
    assert troubled.calls["Echo"] == times + 1


async def test_what_is_not_to_be_tried_again_is_not(scenario, troubled):
    await routed(scenario, troubled, NumRetries=3, RetryOn=["internal"])
    troubled.failures, troubled.calls["Echo"] = 1, 0
    assert await scenario.call() == ["!UNAVAILABLE"]
    assert troubled.calls["Echo"] == 1


async def test_a_call_ends_when_the_time_of_its_route_is_over(scenario, troubled, language):
    await routed(scenario, troubled, RequestTimeout="1s")
    (call,) = await scenario.timed(metadata={"x-sleep": "2"}, timeout=None)
    if language == "python":
        assert (call.answer, call.seconds >= 2) == ("a", True)
    else:
        assert (call.answer, 1 <= call.seconds < 2) == ("!DEADLINE_EXCEEDED", True)


async def test_a_call_by_another_route_has_its_own_time(scenario, troubled):
    await routed(scenario, troubled, RequestTimeout="500ms")
    assert await scenario.call(method="Wait", metadata={"x-sleep": "1"}, timeout=None) == ["a"]


async def test_a_call_ends_when_the_time_of_its_application_is_over(scenario, troubled):
    await routed(scenario, troubled, RequestTimeout="30s")
    (call,) = await scenario.timed(metadata={"x-sleep": "2"}, timeout=0.5)
    assert (call.answer, 0.5 <= call.seconds < 2) == ("!DEADLINE_EXCEEDED", True)


async def test_a_call_that_ends_in_time_is_answered(scenario, troubled):
    """Also by Python, whose calls would all fail if it were told this time (grpc #40633)."""
    await routed(scenario, troubled, RequestTimeout="1s")
    assert await scenario.call(10) == ["a"] * 10


async def test_no_more_calls_are_open_than_the_limit_and_a_higher_one_lets_more_through(scenario, troubled):
    await scenario.register(troubled)
    await scenario.until("a")
    for most in (2, 4):
        await scenario.limit(Limits={"MaxConcurrentRequests": most})
        async with asyncio.timeout(20):
            while (found := await open_at_once(scenario)) != {"a": most, "!UNAVAILABLE": 6 - most}:
                pass
        assert found == await open_at_once(scenario)


async def open_at_once(scenario):
    return Counter(await scenario.call(6, method="Wait", at_once=True, metadata={"x-sleep": "0.5"}))


async def test_control_without_a_limit_all_calls_are_open(scenario, troubled):
    await scenario.register(troubled)
    await scenario.until("a")
    assert await open_at_once(scenario) == {"a": 6}
