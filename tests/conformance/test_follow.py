"""Row follow of the kit contract: a client opened by name keeps to the instances that the mesh knows."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import grpc
import pytest
from conformance.conftest import each_test
from conformance.mesh import Mesh, Probes, until
from conformance.otlp import Receiver
from conformance.peers import Callee, left, spread
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("follow")

CALLS = 240
SERVICE_WIDE = 3
AT_ONCE = 2.0


@each_test
async def service() -> str:
    """A service's name that no other test uses."""
    return f"callee-{secrets.token_hex(3)}"


@each_test
async def callees(mesh: Mesh, service: str) -> AsyncIterator[list[Callee]]:
    """Three plain instances of the service."""
    async with AsyncExitStack() as stack:
        callees = [await stack.enter_async_context(Callee()) for _ in range(SERVICE_WIDE)]
        for callee in callees:
            await callee.join(mesh, service)
        yield callees
        for callee in callees:
            if callee.instance in await mesh.consul.instances(service, passing=False):
                await mesh.consul.deregister(callee.instance)


async def _settled(probe: Probe, service: str, count: int) -> None:
    """Wait until the probe's client calls so many instances."""

    async def all_seen() -> bool:
        return len(await spread(probe.stub, service, 8 * count)) == count

    await until(all_seen, f"calls to {count} instances")


async def test_calls_are_spread_evenly(probe: Probe, service: str, callees: list[Callee]) -> None:
    await _settled(probe, service, len(callees))
    seen = await spread(probe.stub, service, CALLS)
    even = CALLS / len(callees)
    assert all(0.9 * even <= seen[callee.instance] <= 1.1 * even for callee in callees), seen


async def test_one_in_maintenance_gets_no_call_once_that_is_applied(
    probe: Probe, mesh: Mesh, service: str, callees: list[Callee]
) -> None:
    await _settled(probe, service, len(callees))
    stopped = callees[0]
    await mesh.consul.maintain(stopped.instance)
    await left(mesh, service, stopped.instance)
    await spread(probe.stub, service, 8)  # an ACK comes before the last pick
    before = stopped.calls
    seen = await spread(probe.stub, service, CALLS)
    assert (stopped.calls - before, seen.total()) == (0, CALLS)


async def test_a_new_one_gets_its_share(probe: Probe, mesh: Mesh, service: str, callees: list[Callee]) -> None:
    await _settled(probe, service, len(callees))
    async with Callee() as new:
        await new.join(mesh, service)
        await _settled(probe, service, len(callees) + 1)
        seen = await spread(probe.stub, service, CALLS)
        even = CALLS / (len(callees) + 1)
        assert 0.9 * even <= seen[new.instance] <= 1.1 * even, seen
        await mesh.consul.deregister(new.instance)


@pytest.mark.parametrize("discovery", ["xds", "static:"])
async def test_a_service_that_no_one_knows_is_unavailable_at_once(
    language: Language, probes: Probes, receiver: Receiver, discovery: str
) -> None:
    probe = await probes.start(language, GOSSAMER_DISCOVERY=discovery)
    await _unavailable_at_once(probe, receiver, "nobody")


async def test_a_service_whose_last_instance_went_is_unavailable_at_once(
    probe: Probe, mesh: Mesh, receiver: Receiver, service: str
) -> None:
    async with Callee() as only:
        await only.join(mesh, service)
        await _settled(probe, service, 1)
        await mesh.consul.deregister(only.instance)
        await left(mesh, service, only.instance)

        await probe.stub.Relay(pb.RelayRequest(services=[service]), timeout=5).code()  # an ACK precedes the last pick
        await _unavailable_at_once(probe, receiver, service)


async def test_addresses_can_be_given_instead_of_a_mesh(language: Language, probes: Probes) -> None:
    async with Callee() as one, Callee() as other:
        given = f"static:them={one.address},them={other.address}"
        probe = await probes.start(language, GOSSAMER_DISCOVERY=given, GRPC_XDS_BOOTSTRAP_CONFIG="")
        await _settled(probe, "them", 2)
        seen = await spread(probe.stub, "them", CALLS)
    assert all(0.9 * CALLS / 2 <= count <= 1.1 * CALLS / 2 for count in seen.values()), seen


async def _unavailable_at_once(probe: Probe, receiver: Receiver, service: str) -> None:
    """Call a service through the probe, and see in its client span how that call ended."""
    trace, begin = secrets.token_hex(16), time.monotonic()
    sent = [("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")]
    call = probe.stub.Relay(pb.RelayRequest(services=[service]), metadata=sent, timeout=10)
    assert await call.code() != grpc.StatusCode.OK
    assert time.monotonic() - begin < AT_ONCE, "it must not wait for the deadline of 5 seconds"
    [call] = [span for span in await receiver.spans(trace, 2) if span.kind == "client"]
    assert call.attributes["rpc.response.status_code"] == "UNAVAILABLE"
