"""Row deadline of the kit contract: no call is without an end, and no work goes on that nobody waits for."""

import asyncio
import secrets

import grpc
import pytest
from conformance.mesh import Probes, until
from conformance.otlp import Receiver
from conformance.peers import Callee
from conformance.waits import cancelled, until_waiting, wait
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("deadline")

ROUNDING = 0.02
"""gRPC sends a deadline as what is left of it, rounded up: to 10 ms where that is over a second."""


async def _calling(language: Language, probes: Probes, callee: Callee, **changes: str) -> Probe:
    given = f"static:callee={callee.address}"
    return await probes.start(language, GOSSAMER_DISCOVERY=given, joined=False, **{"CONSUL_HTTP_ADDR": "", **changes})


async def test_a_call_without_a_deadline_gets_the_default(language: Language, probes: Probes) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        answer = await probe.stub.Relay(pb.RelayRequest(services=["callee"]))
    assert not answer.hops[0].HasField("remaining"), "the test's own call has no deadline"
    assert 4 < _seconds(answer.hops[1]) <= 5


async def test_the_default_can_be_set(language: Language, probes: Probes) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee, GOSSAMER_DEADLINE="2m")
        answer = await probe.stub.Relay(pb.RelayRequest(services=["callee"]))
    # gRPC's core writes a long timeout in whole seconds, rounded up
    assert 110 < _seconds(answer.hops[1]) <= 121


async def test_a_handlers_own_call_gets_what_is_left_of_its_own(language: Language, probes: Probes) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        answer = await probe.stub.Relay(pb.RelayRequest(services=["callee"]), timeout=3)
    assert 2 < _seconds(answer.hops[1]) <= _seconds(answer.hops[0]) + ROUNDING <= 3 + ROUNDING


async def test_a_call_that_hangs_ends_with_the_default(language: Language, probes: Probes) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee, GOSSAMER_DEADLINE="300ms")
        request = pb.RelayRequest(services=["callee"])
        request.last_wait.FromSeconds(60)
        assert await probe.stub.Relay(request).code() != grpc.StatusCode.OK
        async with asyncio.timeout(5):
            await callee.cancelled.wait()


async def test_a_handler_is_cancelled_when_its_time_is_over(probe: Probe) -> None:
    key = secrets.token_hex(4)
    call = probe.stub.Wait(wait(60, key), timeout=0.3)
    assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: cancelled(probe, key), "a cancelled handler", 5)


async def test_a_handler_is_cancelled_when_its_caller_goes_away(probe: Probe) -> None:
    key = secrets.token_hex(4)
    call = probe.stub.Wait(wait(60, key), timeout=60)
    await until_waiting(probe, key)
    call.cancel()
    await until(lambda: cancelled(probe, key), "a cancelled handler", 5)


async def test_a_handler_that_nobody_gave_up_is_not_cancelled(probe: Probe) -> None:
    """The control of the two tests above."""
    key = secrets.token_hex(4)
    await probe.stub.Wait(wait(0.3, key), timeout=5)
    assert await cancelled(probe, key) == 0


async def test_a_cancelled_call_ends_the_calls_made_for_it(language: Language, probes: Probes) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        request = pb.RelayRequest(services=["callee"])
        request.last_wait.FromSeconds(60)
        call = probe.stub.Relay(request, timeout=60)
        async with asyncio.timeout(5):
            await callee.entered.wait()
            call.cancel()
            await callee.cancelled.wait()


@pytest.mark.parametrize(("given_up", "code", "calls"), [(True, "CANCELLED", 0), (False, "OK", 1)])
async def test_a_handler_whose_call_is_gone_starts_nothing_new(
    language: Language, probes: Probes, receiver: Receiver, given_up: bool, code: str, calls: int
) -> None:
    """It doesn't notice, and goes on to call another service. The control is the same while its caller waits."""
    trace, first = secrets.token_hex(16), wait(1.5, "first", ignore_cancellation=True)
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        request = pb.CallRequest(service="callee", method=pb.CALL_METHOD_ECHO, first=first)
        call = probe.stub.Call(request, metadata=[("traceparent", f"00-{trace}-{'1' * 16}-01")], timeout=60)
        await until_waiting(probe, "first")
        if given_up:
            call.cancel()
        [client] = [span for span in await receiver.spans(trace, 2) if span.kind == "client"]
        assert client.attributes["rpc.response.status_code"] == code
        assert callee.calls == calls
    assert (await call.code() == grpc.StatusCode.OK) is not given_up


def _seconds(hop: pb.Hop) -> float:
    return float(hop.remaining.ToTimedelta().total_seconds())
