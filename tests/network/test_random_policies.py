"""Legal entries by chance in a real Consul: calls go where they say, whoever calls, and no client refuses anything.

What they say is what `harness.evaluator` makes of them, which shares no code with the mesh. Each seed is a world of 75
services, every one with a policy of its own; to see one again, run its test by its number.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from typing import NamedTuple

import pytest
import pytest_asyncio
from harness.answerer import Answerer
from harness.client import LANGUAGES, Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.evaluator import Call, Evaluator
from harness.random_worlds import LETTERS, RING_HEADER, Dice, names
from harness.scenario import refusals
from harness.world_writer import WorldWriter

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

SEEDS = range(7)
GROUPS = 25
CONTROL = 1001
"""The seed of the world that mistakes are tried on."""

MANY = 100
"""How many calls show a share."""

SETTLED = 30.0
"""Seconds until all of a world must have reached every client."""


class Seen(NamedTuple):
    """What became of calls."""

    language: str
    call: Call
    answers: Counter[str]


class Mesh(NamedTuple):
    """A Consul, a control plane that reads it, those who answer, and a client of every language."""

    writer: WorldWriter
    control: ControlPlane
    clients: dict[str, Client]

    async def refusals(self):
        """Why clients refused what they were sent, and what was not sent because they would."""
        left_out = [line for line in self.control.logs() if "left out" in line["message"]]
        return [*left_out, *await refusals(self.control.address)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory, programs):
    folder = tmp_path_factory.mktemp("mesh")
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        consul = await enter(Consul(folder / "consul", limits={"http_max_conns_per_client": 1000}))
        await consul.speak_grpc()
        control = await enter(ControlPlane(folder / "control", consul.url, "--second-look", "0"))
        answerers = [await enter(Answerer(name)) for letter in LETTERS for name in names(letter)]
        clients = {
            language: await enter(Client(control.bootstrap(), folder / f"{language}.log", programs[language]))
            for language in LANGUAGES
        }
        writer = WorldWriter(consul, {each.name: each.address for each in answerers})
        yield Mesh(writer, control, clients)


def thrown(seed, groups=GROUPS):
    """A world, and calls of all its services."""
    dice = Dice(seed, groups)
    world = dice.world()
    services = [f"group{number}-{letter}" for number in range(groups) for letter in LETTERS]
    judge = Evaluator(world, caller="client", zone="local")
    return world, [dice.calls(service, judge.routes(service)) for service in services]


async def settle(client, judge, calls):
    """Call until every answer is one that is expected."""
    async with asyncio.timeout(SETTLED):
        while calls:
            calls = [call for call in calls if not set(await make(client, call, 2)) <= judge.outcomes(call).keys()]


async def make(client, call, count):
    return await client.call(call.service, count, method=call.path, metadata=dict(call.headers), at_once=True)


async def observe(mesh, judge, calls):
    """Make all calls with every client at once. For each service that spreads calls, one of them is made often."""

    async def seen(language, client):
        with contextlib.suppress(TimeoutError):
            await settle(client, judge, [call for each in calls for call in each])
        return [
            Seen(language, call, Counter(await make(client, call, MANY if call == often else 3)))
            for each in calls
            for often in [next((call for call in each if spreads(judge, call)), None)]
            for call in each
        ]

    return [each for found in await asyncio.gather(*(seen(*item) for item in mesh.clients.items())) for each in found]


def spreads(judge, call):
    return len(judge.legs(call)) > 1 or len(judge.outcomes(call)) > 1


def wrong(judge, seen):
    """Tell whether what was seen is not what the entries say."""
    expected, count, legs = judge.outcomes(seen.call), seen.answers.total(), judge.legs(seen.call)
    if not seen.answers.keys() <= expected.keys():
        return True
    if RING_HEADER in dict(seen.call.headers) and all(leg.balance == "ring_hash" for leg in legs):
        return len([name for name in seen.answers if not name.startswith("!")]) > len(legs)
    return any(
        not likely(sum(seen.answers[name] for name in names), sum(expected[name] for name in names), of=count)
        for names in told_apart(expected.keys(), legs)
    )


def told_apart(answers, legs):
    """Group answers so that each group has its share: those of a leg that doesn't spread evenly are in one."""
    groups = [{answer} for answer in answers]
    for leg in legs:
        if not leg.even:
            touched = [group for group in groups if not group.isdisjoint(leg.answerers)]
            groups = [group for group in groups if group not in touched] + [set().union(*touched)]
    return groups


def likely(found, share, *, of):
    """Five standard deviations, since thousands of shares are looked at, and a bit more for rounds that just began."""
    return abs(found - of * share) <= 5 * (of * share * (1 - share)) ** 0.5 + 3


def told(world, judge, seen):
    """Say what is wrong so that one can do it again."""
    group = seen.call.service[:-1]
    return "\n".join(
        (
            f"{seen.language} calls {seen.call}",
            f"expected {json.dumps(judge.outcomes(seen.call))}, found {json.dumps(seen.answers)}",
            *(json.dumps(entry) for entry in world.entries if entry["Name"].startswith((group, "client"))),
            *(f"faults of {name}: {json.dumps(said)}" for name, said in world.faults.items() if name.startswith(group)),
            f"defaults: {json.dumps(world.defaults)}",
            *(json.dumps(vars(each)) for each in world.instances if each.service.startswith(group)),
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_calls_go_where_the_entries_say(mesh, seed):
    world, calls = thrown(seed)
    await mesh.writer.write(world)
    judge = Evaluator(world, caller="client", zone="local")
    found = await observe(mesh, judge, calls)
    failures = [told(world, judge, seen) for seen in found if wrong(judge, seen)]
    assert not failures, f"seed {seed}: {len(failures)} of {len(found)} are wrong, the first:\n{failures[0]}"
    assert await mesh.refusals() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(mesh):
    """A small world, and what was seen of it."""
    world, calls = thrown(CONTROL, groups=10)
    await mesh.writer.write(world)
    return world, await observe(mesh, Evaluator(world, caller="client", zone="local"), calls)


class RoutesTheOtherWayRound(Evaluator):
    def routes(self, service):
        return super().routes(service)[::-1]


class NoInvert(Evaluator):
    def has(self, call, header):
        return super().has(call, {**header, "Invert": False})


class AbsentIsUnequal(Evaluator):
    def has(self, call, header):
        named = {name for name, _ in call.headers}
        absent = header["Name"].lower() not in named and not header.get("Present")
        return header.get("Invert", False) if absent else super().has(call, header)


class RegexIsASearch(Evaluator):
    def compares(self, found, header):
        return bool(re.search(header["Regex"], found)) if "Regex" in header else super().compares(found, header)


class NoDefaultSubset(Evaluator):
    def resolve(self, service, subset):
        return service, subset


class NoFailover(Evaluator):
    def failover(self, *_):
        return iter(())


class FailoverInNoOrder(Evaluator):
    def failover(self, service, subset):
        return reversed([*super().failover(service, subset)])


class EverybodyPasses(Evaluator):
    def members(self, service, *_):
        return [each for each in self._world.instances if each.service == service]


class OtherWeights(Evaluator):
    def split(self, service, subset):
        shares, places = zip(*((share, place) for share, *place in super().split(service, subset)), strict=True)
        return ((share, *place) for share, place in zip(reversed(shares), places, strict=True))


class NoSplitsOfSplits(Evaluator):
    def split(self, service, subset):
        for each in self._entry("service-splitter", service).get("Splits") or [
            {"Weight": 100, "ServiceSubset": subset}
        ]:
            yield each["Weight"] / 100, each.get("Service") or service, each.get("ServiceSubset") or ""


class NoFaults(Evaluator):
    def abort(self, *_):
        return "", 0


MISTAKES = (
    RoutesTheOtherWayRound,
    NoInvert,
    AbsentIsUnequal,
    RegexIsASearch,
    NoDefaultSubset,
    NoFailover,
    FailoverInNoOrder,
    EverybodyPasses,
    OtherWeights,
    NoSplitsOfSplits,
    NoFaults,
)


async def test_the_small_world_is_right(observed):
    world, found = observed
    judge = Evaluator(world, caller="client", zone="local")
    assert [told(world, judge, seen) for seen in found if wrong(judge, seen)] == []


@pytest.mark.parametrize("mistaken", MISTAKES)
async def test_control_a_mistake_is_found(observed, mistaken):
    world, found = observed
    judge = mistaken(world, caller="client", zone="local")
    assert any(wrong(judge, seen) for seen in found)
