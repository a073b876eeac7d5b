"""What holds where no entry says otherwise, written into a real Consul, is what official clients do without a kit.

Every test has a service of its own, and writes `gossamer/defaults/SERVICE` for it.
"""

import asyncio
import secrets

import pytest
import pytest_asyncio
from harness.client import LANGUAGES, Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT, Instance

from gossamer.probe.v1 import probe_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = {"interval": "500ms", "base_ejection": "2s"}
"""Outlier detection as it is anyway, but soon."""


class Slow(Instance):
    """An instance that takes a second for everything."""

    async def Wait(self, request, context):
        """Answer late."""
        await asyncio.sleep(1)
        return await super().Wait(request, context)

    async def Count(self, request, context):
        """Stream one message, which is an empty one of Echo as well, late."""
        del request, context
        await asyncio.sleep(1)
        yield probe_pb2.CountResponse()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        yield consul


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control(consul, tmp_path_factory):
    async with ControlPlane(tmp_path_factory.mktemp("control"), consul.url) as control:
        yield control


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LANGUAGES)
async def client(request, control, tmp_path_factory, programs):
    log = tmp_path_factory.mktemp("client") / "client.log"
    async with Client(control.bootstrap(), log, programs[request.param]) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def instances():
    async with Instance("a") as a, Instance("b") as b:
        yield a, b


@pytest_asyncio.fixture(loop_scope="module")
async def register(consul):
    """Registers instances of a service that this test has for itself, and writes what holds for it."""
    registered = []

    async def register_them(*instances, **written):
        service = f"service-{secrets.token_hex(3)}"
        await consul.put(f"/v1/kv/gossamer/defaults/{service}", written)
        for each in instances:
            registered.append(f"{service}-{each.name}")
            await consul.register(service, registered[-1], each.address, contracts=[CONTRACT])
        return service

    yield register_them
    for instance in registered:
        await consul.deregister(instance)


async def test_of_two_instances_the_one_that_fails_is_left_alone_for_a_while(client, register, instances):
    service = await register(*instances, outlier=QUICK)
    await client.until(service, "ab", method="Wait")
    instances[0].failing = True
    await client.until(service, "b", method="Wait")
    instances[0].failing = False
    await client.until(service, "ab", method="Wait")


async def test_of_two_instances_the_one_that_fails_is_called_on_where_that_is_switched_off(client, register, instances):
    """The control of the test before."""
    service = await register(*instances, outlier=False)
    await client.until(service, "ab", method="Wait")
    instances[0].failing = True
    with pytest.raises(AssertionError, match=r"'(b|!UNAVAILABLE)': 2, '(b|!UNAVAILABLE)': 2"):
        await client.until(service, "b", within=3, method="Wait")


async def test_the_only_instance_is_never_left_alone(client, register, instances):
    service = await register(instances[0], outlier=QUICK)
    await client.until(service, "a", method="Wait")
    instances[0].failing = True
    with pytest.raises(AssertionError, match="'!UNAVAILABLE': 4"):
        await client.until(service, "b", within=2, method="Wait")
    before = instances[0].calls["Wait"]
    assert await client.call(service, 10, method="Wait") == ["!UNAVAILABLE"] * 10
    assert instances[0].calls["Wait"] == before + 10


async def test_a_default_timeout_ends_unary_calls_and_no_streams(control, register, programs, tmp_path):
    """Of Go, since Python's library is told no timeouts."""
    async with (
        Slow("a") as slow,
        Client(control.bootstrap(), tmp_path / "client.log", programs["go"]) as client,
    ):
        service = await register(slow, timeout="300ms")
        async with asyncio.timeout(20):
            while (answers := await client.timed(service, method="Wait"))[0].answer != "!DEADLINE_EXCEEDED":
                await asyncio.sleep(0.05)
        assert answers[0].seconds == pytest.approx(0.3, abs=0.2)
        (streamed,) = await client.timed(service, method="Count")
        assert streamed.answer == ""
        assert streamed.seconds >= 1.0
