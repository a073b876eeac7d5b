"""The mesh read from a real Consul: what belongs to it, that changes are told at once, and what restarts look like."""

import asyncio
import contextlib
import time

import pytest
import pytest_asyncio
from harness.consul import Consul
from harness.instance import Instance
from harness.told import watching

import gossamer_mesh.consul.source
from gossamer_mesh.consul import ConsulSource
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.model import Health

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        yield consul


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance():
    async with Instance("a") as instance:
        yield instance


def health(service):
    return lambda mesh: [i.health for i in mesh.services[service].instances] if service in mesh.services else []


async def test_a_registration_is_read_with_everything_it_says(consul, instance):
    meta = {"version": "v7", "zone": "z", "language": "go"}
    await consul.register("said", "said-1", instance.address, contracts=["a.B", "c.D"], meta=meta)
    found = (await ConsulSource(consul.url).look()).services["said"].instances[0]
    assert (found.id, found.address, found.health) == ("said-1", instance.address, Health.PASSING)
    assert (found.version, found.zone, found.language, found.contracts) == ("v7", "z", "go", ("a.B", "c.D"))


async def test_only_services_with_a_grpc_check_belong_to_the_mesh(consul, instance):
    await consul.register("checked", "checked-1", instance.address)
    await consul.register("unchecked", "unchecked-1", instance.address, grpc=False)
    found = (await ConsulSource(consul.url).look()).services
    assert "checked" in found
    assert not {"unchecked", "consul"} & found.keys()


async def test_a_service_that_never_passed_belongs_to_the_mesh(consul):
    await consul.register("sick", "sick-1", "127.0.0.1:1", status="critical")
    assert (await ConsulSource(consul.url).look()).services["sick"].instances[0].health is Health.CRITICAL


async def test_a_failing_check_is_told_with_what_it_said(consul):
    await consul.register("failing", "failing-1", "127.0.0.1:1")
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: health("failing")(mesh) == [Health.CRITICAL])
        assert "connection refused" in mesh.services["failing"].instances[0].health_output


async def test_maintenance_is_told(consul, instance):
    await consul.register("maintained", "maintained-1", instance.address)
    async with watching(consul.url) as told:
        await told.until(lambda mesh: health("maintained")(mesh) == [Health.PASSING])
        await consul.maintain("maintained-1")
        await told.until(lambda mesh: health("maintained")(mesh) == [Health.MAINTENANCE])


async def test_a_new_and_a_removed_service_are_told(consul, instance):
    async with watching(consul.url) as told:
        await told.readings.get()
        await consul.register("short", "short-1", instance.address)
        await told.until(lambda mesh: "short" in mesh.services)
        await consul.deregister("short-1")
        await told.until(lambda mesh: "short" not in mesh.services)


async def test_the_first_reading_is_complete(consul, instance):
    for number in range(30):
        await consul.register(f"many-{number}", f"many-{number}-1", instance.address)
    async with watching(consul.url) as told:
        mesh, restarted = await told.readings.get()
        assert sum(name.startswith("many-") for name in mesh.services) == 30
        assert not restarted


async def test_more_services_than_a_client_has_connections_by_default_are_followed(consul, instance):
    """aiohttp opens 100 connections; a query that waits for one would never learn of its service."""
    for number in range(120):
        await consul.register(f"crowd-{number}", f"crowd-{number}-1", instance.address, interval="60s")
    async with watching(consul.url) as told:
        await told.until(lambda mesh: sum(name.startswith("crowd-") for name in mesh.services) == 120)
        await consul.maintain("crowd-119-1")
        await told.until(lambda mesh: health("crowd-119")(mesh) == [Health.MAINTENANCE])


async def test_more_services_than_the_agent_allows_connections_are_told_with_what_to_do(tmp_path, instance):
    async with Consul(tmp_path, limits={"http_max_conns_per_client": 20}) as consul:
        await register_crowd(consul, instance, 20)
        async with watching(consul.url) as told, asyncio.timeout(15):
            while "Set limits.http_max_conns_per_client" not in await told.failures.get():
                pass
            assert (told.readings.qsize(), told.heard_times) == (0, 0)


async def register_crowd(consul, instance, size):
    for number in range(size):
        await consul.register(f"crowd-{number}", f"crowd-{number}-1", instance.address)


@contextlib.asynccontextmanager
async def watched_crowd(folder, instance):
    """Twelve services followed at an agent that allows 26 connections: 19 for the watch, one for the test."""
    async with Consul(folder, limits={"http_max_conns_per_client": 26}) as consul:
        await register_crowd(consul, instance, 12)
        async with watching(consul.url) as told:
            await told.until(lambda mesh: len(mesh.services) == 12)
            yield ConsulSource(consul.url)


async def test_a_look_gets_by_with_the_connections_that_a_watch_leaves(tmp_path, instance):
    async with watched_crowd(tmp_path, instance) as source:
        assert len((await source.look()).services) == 12


async def test_control_a_look_at_all_services_at_once_is_refused(tmp_path, instance, monkeypatch):
    monkeypatch.setattr(gossamer_mesh.consul.source, "LOOKS", 12)
    async with watched_crowd(tmp_path, instance) as source:
        with pytest.raises(SourceError, match="http_max_conns_per_client"):
            await source.look()


async def test_an_idle_agent_is_heard_of_and_nothing_is_told(tmp_path):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await told.readings.get()
        before = told.heard_times
        async with asyncio.timeout(15):
            while told.heard_times < before + 2:
                await asyncio.sleep(0.05)
        assert told.readings.empty()


async def test_changes_that_come_thick_are_read_no_more_often_than_the_limit(tmp_path, instance):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.register("busy", "busy-1", instance.address)
        await told.until(lambda mesh: "busy" in mesh.services)
        began, before = time.monotonic(), told.read_times
        for number in range(60):
            await consul.register("busy", "busy-1", instance.address, meta={"version": str(number)})
        await told.until(lambda mesh: mesh.services["busy"].instances[0].version == "59")
        allowed = 10 + 20 * (time.monotonic() - began)
        assert told.read_times - before <= allowed


async def test_an_agent_that_lost_its_data_is_told_as_restarted_and_complete(tmp_path, instance):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        for number in range(5):
            await consul.register(f"lost-{number}", f"lost-{number}-1", instance.address)
        await told.until(lambda mesh: len(mesh.services) == 5)
        await consul.restart(empty=True)
        mesh, restarted = await told.until(lambda _: True)
        assert (dict(mesh.services), restarted) == ({}, True)
        assert "expected Consul to answer" in await told.failures.get()


async def test_an_agent_that_kept_its_data_is_not_told_as_restarted(tmp_path, instance):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.register("kept", "kept-1", instance.address)
        await told.until(lambda mesh: "kept" in mesh.services)
        await consul.restart(empty=False)
        await told.failures.get()
        mesh, restarted = await told.until(lambda _: True)
        assert (list(mesh.services), restarted) == (["kept"], False)


async def test_an_agent_that_is_not_there_is_told_with_what_to_do(tmp_path):
    consul = Consul(tmp_path)
    async with watching(consul.url) as told:
        async with asyncio.timeout(10):
            reason = await told.failures.get()
        assert reason.startswith(f"expected Consul to answer at {consul.url}, but:")
    with pytest.raises(SourceError, match="Is the agent running"):
        await ConsulSource(consul.url).look()
