"""What somebody wrote that Consul takes and can't follow: it is told with its reason, and stops no other change."""

import asyncio
import contextlib
import json
import statistics
import time

import aiohttp
import aiohttp.web
import pytest
import pytest_asyncio
from harness.consul import Consul
from harness.told import watching

from gossamer_mesh.consul import subsets

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 2.0
"""Seconds within which a change must have been told."""

SLOW = 1.0
"""Seconds that a change may take while much else is written."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        await consul.speak_grpc()
        yield consul


async def redirect(consul, source, target):
    await consul.configure("service-resolver", source, Redirect={"Service": target})


async def in_a_circle(consul, name):
    """Redirect two names to each other. Consul refuses to, unless they are written in another case."""
    await redirect(consul, name, f"{name}-Back")
    await redirect(consul, f"{name}-back", name.capitalize())


async def lands(consul, told, name="good", within=SOON):
    """Write something good, and tell how many seconds it took until that was told."""
    number = time.monotonic_ns() % 1_000_000_000
    began = time.monotonic()
    await redirect(consul, name, f"to-{number}")
    await told.until(lambda mesh: str(number) in str(mesh.entries.chains.get(name)), within=within)
    return time.monotonic() - began


def target(mesh, name):
    return [each["Service"] for each in mesh.entries.chains[name]["Targets"].values()]


async def test_a_chain_that_can_not_be_compiled_stays_what_it_was_and_its_reason_is_told(consul):
    await redirect(consul, "round", "elsewhere")
    async with watching(consul.url) as told:
        await told.until(lambda mesh: "round" in mesh.entries.chains)
        await in_a_circle(consul, "round")
        mesh, _ = await told.until(lambda mesh: mesh.entries.broken_chains.keys() >= {"round", "round-back"}, SOON)
        reason = mesh.entries.broken_chains["round"]
        assert reason.startswith("detected circular resolver redirect: [round.")
        assert reason.endswith(
            "It is made of service-resolver/round, service-resolver/round-back, proxy-defaults/global"
        )
        assert target(mesh, "round") in (["elsewhere"], ["round-Back"])  # as far as Consul could follow it
        await lands(consul, told)
        assert told.failures.empty()


async def test_a_chain_that_is_mended_is_told(consul):
    await in_a_circle(consul, "mended")
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: "mended" in mesh.entries.broken_chains)
        assert "mended" not in mesh.entries.chains
        await redirect(consul, "mended", "elsewhere")
        mesh, _ = await told.until(lambda mesh: "mended" in mesh.entries.chains, SOON)
        assert target(mesh, "mended") == ["elsewhere"]
        assert not {"mended", "mended-back"} & mesh.entries.broken_chains.keys()


async def test_a_splitter_whose_other_service_is_made_tcp_is_told_and_stays(consul):
    splits = [{"Weight": 50}, {"Weight": 50, "Service": "Other"}]  # Consul refuses it of `other`
    await consul.configure("service-splitter", "divided", Splits=splits)
    async with watching(consul.url) as told:
        await told.until(lambda mesh: "divided" in mesh.entries.chains)
        await consul.configure("service-defaults", "other", Protocol="tcp")
        mesh, _ = await told.until(lambda mesh: "divided" in mesh.entries.broken_chains, SOON)
        assert 'discovery chain "divided" uses inconsistent protocols' in mesh.entries.broken_chains["divided"]
        assert "Splits" in str(mesh.entries.chains["divided"])


async def test_a_broken_chain_outlives_consul_in_its_last_form(tmp_path):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await redirect(consul, "kept", "elsewhere")
        await told.until(lambda mesh: "kept" in mesh.entries.chains)
        await in_a_circle(consul, "kept")
        before, _ = await told.until(lambda mesh: mesh.entries.broken_chains.keys() == {"kept", "kept-back"}, SOON)
        await consul.restart(empty=False)
        await told.failures.get()
        after, _ = await told.until(lambda _: True)
        assert after.entries.broken_chains.keys() == {"kept", "kept-back"}
        assert after.entries.chains == before.entries.chains


async def test_a_broken_filter_is_told_with_its_reason_and_stops_nothing_else(consul):
    async with watching(consul.url) as told:
        await told.until(lambda _: True)
        await filtered(consul, "broken", "Service.Nope == 1")
        mesh, _ = await told.until(lambda mesh: mesh.entries.broken_filters, SOON)
        reason = 'Selector "Service.Nope" is not valid'
        assert mesh.entries.broken_filters == {("broken", "Service.Nope == 1"): reason}
        await lands(consul, told)
        await filtered(consul, "broken", "Service.ID == 1")
        mesh, _ = await told.until(lambda mesh: not mesh.entries.broken_filters, SOON)
        assert mesh.entries.selected["broken", "Service.ID == 1"] == frozenset()
        assert told.failures.empty()


async def filtered(consul, service, filter_):
    await consul.configure("service-resolver", service, DefaultSubset="x", Subsets={"x": {"Filter": filter_}})


def nested(levels):
    return f"{'(' * levels}Service.ID == 1{')' * levels}"


@pytest.fixture
def asked(monkeypatch):
    """Which filters are asked for."""
    asked, real = [], subsets.questions.selection
    monkeypatch.setattr(
        subsets.questions, "selection", lambda client, name, f: asked.append(f) or real(client, name, f)
    )
    return asked


async def test_a_filter_that_consul_takes_long_for_is_not_asked_for(consul, asked):
    async with watching(consul.url) as told:
        await filtered(consul, "nested", nested(4))
        mesh, _ = await told.until(lambda mesh: ("nested", nested(4)) in mesh.entries.broken_filters)
        assert "nested at most 3 deep, found 4" in mesh.entries.broken_filters["nested", nested(4)]
        assert nested(4) not in asked


async def test_control_a_filter_that_is_deep_and_may_be_is_asked_for(consul, asked, monkeypatch):
    monkeypatch.setattr(subsets, "DEEPEST", 4)
    async with watching(consul.url) as told:
        await filtered(consul, "nested", nested(4))
        await told.until(lambda mesh: ("nested", nested(4)) in mesh.entries.selected)
        assert nested(4) in asked


async def test_consul_takes_several_times_as_long_for_a_filter_with_each_level_of_parentheses(consul):
    """Why there is a limit. When Consul no longer does, it can go."""

    async def takes(levels):
        began = time.monotonic()
        await consul.get(f"/v1/health/service/consul?filter={nested(levels).replace(' ', '%20')}")
        return time.monotonic() - began

    assert min([await takes(6) for _ in range(3)]) > 10 * min([await takes(3) for _ in range(9)])


async def test_values_that_are_no_text_or_too_large_are_told_and_stop_no_other(consul):
    async with aiohttp.ClientSession(consul.url) as session, watching(consul.url) as told:
        for key, value in (("bytes", b'"\xff"'), ("large", b" " * 500_000), ("good", b"{}")):
            async with session.put(f"/v1/kv/gossamer/{key}", data=value) as response:
                assert response.status == 200
        mesh, _ = await told.until(lambda mesh: len(mesh.entries.broken_extras) == 2 and mesh.entries.extras)
        assert mesh.entries.extras == {"good": "{}"}
        assert mesh.entries.broken_extras == {
            "bytes": "expected JSON in UTF-8, found what is none at byte 1",
            "large": "expected at most 65536 bytes, found 500000",
        }


async def test_a_name_that_no_question_can_hold_stops_nothing(consul):
    await consul.configure("service-resolver", "..", ConnectTimeout="3s")
    await consul.configure("service-resolver", "a/b c?d", ConnectTimeout="3s")
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: "a/b c?d" in mesh.entries.chains)
        assert ".." not in mesh.entries.chains
        assert mesh.entries.chains["a/b c?d"]["ServiceName"] == "a/b c?d"


async def test_an_entry_that_is_nested_deeper_than_python_reads_stops_nothing(tmp_path):
    arguments = {"ProxyType": "connect-proxy", "Listener": "inbound", "Script": "x", "more": "NESTED"}
    extensions = [{"Name": "builtin/lua", "Arguments": arguments}]
    entry = {"Kind": "service-defaults", "Name": "deep", "EnvoyExtensions": extensions, "MaxInboundConnections": 7}
    text = json.dumps(entry).replace('"NESTED"', "[" * 2000 + "]" * 2000)
    async with (
        Consul(tmp_path) as consul,
        aiohttp.ClientSession(consul.url) as session,
        watching(consul.url) as told,
        session.put("/v1/config", data=text) as response,
    ):
        assert response.status == 200
        mesh, _ = await told.until(lambda mesh: "deep" in mesh.entries.defaults)
        assert mesh.entries.defaults["deep"]["MaxInboundConnections"] == 7
        await lands(consul, told)
        assert told.failures.empty()


async def test_good_changes_land_in_time_while_bad_ones_are_written_all_the_time(tmp_path):
    """Ten a second, of every kind that Consul takes, over forty names; each names a chain, a filter or a value."""
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.speak_grpc()
        writing = asyncio.create_task(write_badly(consul))
        await told.until(lambda mesh: len(mesh.entries.broken_chains) > 10 and len(mesh.entries.broken_filters) > 10)
        took = [await lands(consul, told, f"good-{number}", within=15) for number in range(20)]
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        assert statistics.median(took) < SLOW, took
        assert told.failures.empty()


async def write_badly(consul):
    for number in range(10_000):
        name = f"bad-{number % 40}"
        await in_a_circle(consul, name)
        await filtered(consul, f"{name}-filter", f"Service.Nope == {number}")
        await consul.put(f"/v1/kv/gossamer/faults/{name}", [number])
        await asyncio.sleep(0.4)


async def test_a_refusal_of_an_agent_without_a_leader_is_a_failure_and_breaks_nothing(tmp_path):
    async with Consul(tmp_path) as consul, losing_its_leader(consul.url) as url:
        await filtered(consul, "catalog", "Service.ID == 1")
        async with watching(url) as told, asyncio.timeout(15):
            assert "No cluster leader" in await told.failures.get()
            assert told.read_times == 0


@contextlib.asynccontextmanager
async def losing_its_leader(url):
    """Stand before an agent and, from the first question for a chain on, answer as one that lost its leader."""
    lost = False

    async def answer(request):
        nonlocal lost
        lost = lost or "discovery-chain" in request.path
        if lost:
            return aiohttp.web.Response(status=500, text="No cluster leader")
        async with aiohttp.ClientSession() as session, session.get(f"{url}{request.raw_path}") as found:
            index = {"X-Consul-Index": found.headers["X-Consul-Index"]}
            return aiohttp.web.Response(status=found.status, text=await found.text(), headers=index)

    runner = aiohttp.web.ServerRunner(aiohttp.web.Server(answer, handler_cancellation=True))
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()
