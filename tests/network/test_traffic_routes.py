"""Which calls go where, as entries in a real Consul say: splits, paths and headers, followed by official gRPC clients.

The scenarios are those of gRPC's own xDS interoperability tests (grpc/psm-interop, and grpc's xds-test-descriptions.md)
that a control plane has a part in; but matches by ranges of numbers and by the case of paths, which entries can't say.
Shares are judged within three standard deviations of what chance allows.
"""

import asyncio
from collections import Counter

import pytest
from harness.instance import CONTRACT

pytestmark = pytest.mark.asyncio(loop_scope="module")


def near(found, expected, of):
    share = expected / of
    return abs(found - expected) <= 3 * (of * share * (1 - share)) ** 0.5


async def start(scenario, instances, *routes):
    """Have routes go to subset b where they match, and all else to a. Waits until a call that matches goes there."""
    await scenario.register(*instances[:2])
    await scenario.resolve(DefaultSubset="a")
    await scenario.until("a")
    await scenario.route(*((match, {"ServiceSubset": "b"}) for match in routes))


async def test_a_split_has_its_shares(scenario, instances):
    await scenario.register(*instances[:2])
    await scenario.resolve(DefaultSubset="a")
    await scenario.until("a")
    await scenario.split(a=90, b=10)
    async with asyncio.timeout(20):
        while "b" not in await scenario.call(50):
            pass
    answers = Counter(await scenario.call(1000))
    assert answers.keys() == {"a", "b"}
    assert near(answers["b"], 100, of=1000), answers


async def test_a_split_that_changes_under_load_costs_no_call(scenario, instances):
    await scenario.register(*instances[:3])
    await scenario.resolve()
    await scenario.split(a=100, b=0)
    await scenario.until("a")
    await scenario.client.start_load(scenario.service, every=0.005)
    for weights, answers in (({"a": 0, "b": 100}, "b"), ({"c": 100}, "c"), ({"a": 100, "c": 0}, "a")):
        await scenario.split(**weights)
        await scenario.until(answers)
    answers = await scenario.client.stop_load()
    assert answers.keys() == {"a", "b", "c"}, answers


async def test_calls_go_to_another_service_when_it_is_named_instead(scenario, instances):
    """psm-interop's change of the backend service, under load."""
    a, b, c, d = instances
    await scenario.register(a, b)
    await scenario.register(c, d, service=f"{scenario.service}-new")
    await scenario.until("ab")
    await scenario.client.until(f"{scenario.service}-new", "cd")
    await scenario.client.start_load(scenario.service)
    await scenario.route(({}, {"Service": f"{scenario.service}-new"}))
    await scenario.until("cd")
    answers = await scenario.client.stop_load()
    assert answers.keys() <= {"a", "b", "c", "d"}, answers


ARRIVED = {"Header": [{"Name": "x-arrived", "Present": True}]}
"""A match that tells whether a router has arrived."""


async def arrived(scenario):
    await scenario.until("b", metadata={"x-arrived": "1"})


async def once(scenario, **how):
    (answer,) = await scenario.call(**how)
    return answer


PATHS = {
    "exact": ({"PathExact": f"/{CONTRACT}/Wait"}, {"Wait": "b", "Echo": "a"}),
    "exact, of the other": ({"PathExact": f"/{CONTRACT}/Echo"}, {"Wait": "a", "Echo": "b"}),
    "beginning of a method": ({"PathPrefix": f"/{CONTRACT}/W"}, {"Wait": "b", "Echo": "a"}),
    "contract": ({"PathPrefix": f"/{CONTRACT}/"}, {"Wait": "b", "Echo": "b"}),
    "regular expression": ({"PathRegex": r"/.*\.ProbeService/W[a-z]+"}, {"Wait": "b", "Echo": "a"}),
    "regular expression of a part": ({"PathRegex": "Wait"}, {"Wait": "a", "Echo": "a"}),
}


@pytest.mark.parametrize("kind", PATHS)
async def test_a_path_decides(scenario, instances, kind):
    match, expected = PATHS[kind]
    await start(scenario, instances, match, ARRIVED)
    await arrived(scenario)
    assert {method: await once(scenario, method=method) for method in expected} == expected


HEADERS = {
    "exact": ({"Exact": "value"}, ["value"], ["other", "value2", "VALUE"]),
    "prefix": ({"Prefix": "val"}, ["value", "val"], ["a-val"]),
    "suffix": ({"Suffix": "lue"}, ["value", "lue"], ["lues"]),
    "regular expression": ({"Regex": "v[a-z]+e"}, ["value"], ["a-value", "values"]),
    "present": ({"Present": True}, ["value", "other", "0"], []),
}


async def by_header(scenario, values):
    return {value: await once(scenario, metadata={"x-user": value}) for value in values}


@pytest.mark.parametrize("kind", HEADERS)
async def test_a_header_decides(scenario, instances, kind):
    how, matching, others = HEADERS[kind]
    await start(scenario, instances, {"Header": [{"Name": "x-user", **how}]}, ARRIVED)
    await arrived(scenario)
    found = await by_header(scenario, [*matching, *others])
    assert found == {**dict.fromkeys(matching, "b"), **dict.fromkeys(others, "a")}
    assert await once(scenario) == "a"


@pytest.mark.parametrize("kind", HEADERS)
async def test_a_header_decides_the_other_way_round_and_only_if_it_is_there(scenario, instances, kind):
    """As Envoy has it, which Consul's entries were made for: without the header, nothing but its presence matches."""
    how, matching, others = HEADERS[kind]
    await start(scenario, instances, {"Header": [{"Name": "x-user", "Invert": True, **how}]}, ARRIVED)
    await arrived(scenario)
    found = await by_header(scenario, [*matching, *others])
    assert found == {**dict.fromkeys(matching, "a"), **dict.fromkeys(others, "b")}
    assert await once(scenario) == ("b" if kind == "present" else "a")


async def test_all_headers_of_a_match_have_to_be_right(scenario, instances):
    headers = [{"Name": "x-user", "Exact": "value"}, {"Name": "x-test", "Present": True}]
    await start(scenario, instances, {"Header": headers}, ARRIVED)
    await arrived(scenario)
    assert await once(scenario, metadata={"x-user": "value"}) == "a"
    assert await once(scenario, metadata={"x-test": "1"}) == "a"
    assert await once(scenario, metadata={"x-user": "value", "x-test": "1"}) == "b"


async def test_the_first_route_that_matches_is_taken(scenario, instances):
    await scenario.register(*instances[:3])
    await scenario.resolve()
    await scenario.route(
        ({"PathPrefix": f"/{CONTRACT}/W"}, {"ServiceSubset": "b"}),
        ({"PathPrefix": f"/{CONTRACT}/"}, {"ServiceSubset": "a"}),
        ({"PathExact": f"/{CONTRACT}/Wait"}, {"ServiceSubset": "c"}),
    )
    await scenario.until("a")
    assert await once(scenario, method="Wait") == "b"


async def test_the_client_holds_what_it_was_sent_and_has_accepted_it(scenario, instances):
    """psm-interop's CSDS test."""
    await scenario.register(*instances)
    await scenario.until("abcd")
    held = {
        (each["type"], each["state"]) for each in await scenario.client.config() if each["name"] == scenario.service
    }
    assert held == {
        ("Listener", "ACKED"),
        ("RouteConfiguration", "ACKED"),
        ("Cluster", "ACKED"),
        ("ClusterLoadAssignment", "ACKED"),
    }
