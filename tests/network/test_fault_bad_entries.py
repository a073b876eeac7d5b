"""A hundred bad entries a minute, under load: none costs a call, each is told, and good changes are followed as ever.

All of them are legal for Consul, and none can be followed by every client. What was good of a service stays.
"""

import asyncio
import contextlib
import itertools
import json
import time

import pytest
from harness.client import Client
from harness.control import NAIVE, PROGRAM
from harness.instance import Instance
from harness.running import failures, running, splitter, subsets

BAD = 20
EVERY_S = 0.6
SOON_S = 5.0
"""Within so many seconds a good change must be followed."""

REFUSED = "left out, because no client could follow it"


def router(name, **http):
    return {"Kind": "service-router", "Name": name, "Routes": [{"Match": {"HTTP": http}}]}


def resolver(name, **what):
    return {"Kind": "service-resolver", "Name": name, **what}


KINDS = (
    lambda name: router(name, PathPrefix="/", Methods=["POST"]),
    lambda name: router(name, PathPrefix="/", QueryParam=[{"Name": "x", "Present": True}]),
    lambda name: resolver(name, LoadBalancer={"Policy": "maglev"}),
    lambda name: resolver(name, DefaultSubset="v", Subsets={"v": {"Filter": "Service.Nothing == x"}}),
    lambda _: [{"delay": "for a while"}],
)
"""What some client would refuse, drop or misread; the last is a fault, under gossamer/."""


async def write_bad(mesh):
    """Write them at a steady rate, of new services, and of the one that is under load."""
    due = time.monotonic()
    for number, kind in zip(range(BAD), itertools.cycle(KINDS), strict=False):
        name = f"bad-{number}"
        if isinstance(entry := kind(name), list):
            await mesh.consul.put(f"/v1/kv/gossamer/faults/{name}", entry)
        else:
            await mesh.write(entry)
        if number % len(KINDS) < 2:
            await mesh.write(kind("shop"))
        due += EVERY_S
        await asyncio.sleep(due - time.monotonic())


@contextlib.asynccontextmanager
async def under_load(folder, program=PROGRAM, clients=()):
    """A service whose calls go to all versions but b, and one whose calls all go to a."""
    async with running(folder, names="ab", program=program) as mesh, contextlib.AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(Client(mesh.control.bootstrap(f"test/more/{each}"), folder / "log", each_))
            for each, each_ in enumerate(clients)
        ]
        not_b = {"some": {"Filter": "Service.Meta.version != b"}}
        await mesh.write(resolver("shop", DefaultSubset="some", Subsets=not_b))
        await mesh.register("moved")
        await mesh.write(subsets("moved"), splitter("moved", a=100, b=0))
        for client in (mesh.client, *others):
            await client.until("shop", "a")
            await client.until("moved", "a")
            await client.start_load("shop", every=0.03)
        yield mesh, (mesh.client, *others)


async def test_a_hundred_bad_entries_a_minute_cost_nothing_and_good_changes_are_followed(tmp_path, programs):
    async with under_load(tmp_path, clients=[programs["go"]]) as (mesh, clients), Instance("c") as c:
        writing = asyncio.create_task(write_bad(mesh))
        rounds = 0
        while not writing.done():
            await mesh.register(instances=[c])
            await mesh.write(splitter("moved", a=0, b=100))
            await mesh.client.until("shop", "ac", within=SOON_S)
            await mesh.client.until("moved", "b", within=SOON_S)
            await mesh.consul.deregister("shop-c")
            await mesh.write(splitter("moved", a=100, b=0))
            await mesh.client.until("shop", "a", within=SOON_S)
            await mesh.client.until("moved", "a", within=SOON_S)
            rounds += 1
        await writing
        assert rounds > 3
        for client in clients:
            answers = await client.stop_load()
            assert failures(answers) == {}
            assert answers.keys() == {"a", "c"}
        assert await told(mesh) == {"shop", *(f"bad-{number}" for number in range(BAD))}
        refusals = [each.refusals for follower in await mesh.followers() for each in follower.subscriptions]
        assert refusals
        assert sum(refusals) == 0


async def told(mesh):
    """Wait until as many services as there are were refused something, as the log says. Gives which."""
    services = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(15):
            while len(services) <= BAD:
                services = {line["of"] for line in mesh.control.logs() if line["message"] == REFUSED}
                await asyncio.sleep(0.05)
    return services


async def test_control_where_what_was_good_is_forgotten_a_bad_entry_moves_calls(tmp_path):
    async with under_load(tmp_path, (NAIVE, "forget")) as (mesh, (client,)):
        await mesh.write(router("shop", PathPrefix="/", Methods=["POST"]))
        await client.until("shop", "ab")


@pytest.mark.parametrize("bad", [{"timeout": "for a while"}, "[{"])
async def test_bad_defaults_for_all_keep_the_good_ones_and_hold_up_no_other_change(tmp_path, bad):
    async with under_load(tmp_path) as (mesh, (client,)):
        await mesh.consul.put("/v1/kv/gossamer/defaults", bad)
        async with asyncio.timeout(15):
            while "gossamer/defaults" not in json.dumps(mesh.control.logs()):
                await asyncio.sleep(0.05)
        await mesh.write(splitter("moved", a=0, b=100))
        await client.until("moved", "b", within=SOON_S)
