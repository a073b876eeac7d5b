"""Row policy of the kit contract: what Consul says about calls is done to them, also what a gRPC library gets wrong."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from conformance.conftest import each_test
from conformance.mesh import WITHIN, Mesh, Probes, until
from conformance.otlp import Receiver, Span
from conformance.peers import Callee
from harness.control import ControlPlane
from harness.probe import Language, Probe, channel

from gossamer.mesh.v1 import traffic_pb2
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("policy")

LIMIT = 0.3
LATE = 0.15
"""Seconds that a call may end after its limit, on a busy machine."""
LONG = 1.0
"""Seconds that the callee takes, which is too long for the limit and not for the default of 5 s."""

EVERY = {"Match": {"HTTP": {"PathPrefix": "/"}}}
LIMITED = {"Destination": {"RequestTimeout": "300ms"}}


class Routed:
    """A service with one plain instance, and what is written about it."""

    def __init__(self, mesh: Mesh, callee: Callee) -> None:
        self.name = f"callee-{secrets.token_hex(3)}"
        self.callee = callee
        self._mesh = mesh

    async def written(self, **written: Any) -> None:
        """Write what holds for its calls."""
        await self._mesh.consul.put(f"/v1/kv/gossamer/defaults/{self.name}", written)

    async def default(self, **written: Any) -> None:
        """Write what holds for its calls, and wait until the control plane tells kits to retry them."""
        await self.written(**written)
        await self.told(lambda policy: any(rule.HasField("retry") for rule in policy.rules))

    async def route(self, *routes: dict[str, Any], rules: int) -> None:
        """Write the router, and wait until the control plane tells kits so many rules."""
        consul = self._mesh.consul
        await consul.put("/v1/config", {"Kind": "service-defaults", "Name": self.name, "Protocol": "grpc"})
        await consul.put("/v1/config", {"Kind": "service-router", "Name": self.name, "Routes": routes})
        await self.told(lambda policy: len(policy.rules) == rules)

    async def told(self, expected: Any) -> None:
        """Wait until the control plane tells kits what is expected."""
        request = traffic_pb2.WatchCallPoliciesRequest(services=[self.name])
        async with asyncio.timeout(WITHIN), channel(self._mesh.control.address) as open_channel:
            async for said in TrafficServiceStub(open_channel).WatchCallPolicies(request):
                if expected(said.changed[0]):
                    return


@each_test
async def routed(mesh: Mesh) -> AsyncIterator[Routed]:
    async with Callee() as callee:
        routed = Routed(mesh, callee)
        await callee.join(mesh, routed.name)
        yield routed
        await mesh.consul.deregister(callee.instance)
        for kind in ("service-router", "service-defaults"):
            await mesh.consul.delete(f"/v1/config/{kind}/{routed.name}")
        await mesh.consul.delete(f"/v1/kv/gossamer/defaults/{routed.name}")


async def called(
    probe: Probe,
    receiver: Receiver,
    service: str,
    method: pb.CallMethod = pb.CALL_METHOD_ECHO,
    trace: str = "",
    within: float | None = 20,
) -> Span:
    """Have a probe call a service, and give the call's client span."""
    trace = trace or secrets.token_hex(16)
    sent = [("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")]
    await probe.stub.Call(pb.CallRequest(service=service, method=method), metadata=sent, timeout=within).code()
    [client] = [span for span in await receiver.spans(trace, 2) if span.kind == "client"]
    return client


def in_time(span: Span) -> bool:
    """Whether a call ended with the limit of its route: neither before nor long after."""
    out_of_time = span.attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    return out_of_time and LIMIT - 0.01 < span.seconds < LIMIT + LATE


SHAPES = [pb.CALL_METHOD_ECHO, pb.CALL_METHOD_COUNT, pb.CALL_METHOD_SUM, pb.CALL_METHOD_CHAT]


@pytest.mark.parametrize("method", SHAPES, ids=["unary", "server stream", "client stream", "both streams"])
async def test_a_call_ends_with_the_timeout_of_its_route(
    probe: Probe, receiver: Receiver, routed: Routed, method: pb.CallMethod
) -> None:
    await routed.route({**EVERY, **LIMITED}, rules=1)
    await called(probe, receiver, routed.name)
    routed.callee.delay = LONG
    span = await called(probe, receiver, routed.name, method)
    assert in_time(span), span


async def test_a_call_without_such_a_route_lasts(probe: Probe, receiver: Receiver, routed: Routed) -> None:
    """The control of the tests around it."""
    routed.callee.delay = LONG
    await routed.route(EVERY, rules=0)
    span = await called(probe, receiver, routed.name)
    assert (span.attributes["rpc.response.status_code"], span.seconds > LONG) == ("OK", True)


async def test_the_first_call_of_all_is_limited_too(probe: Probe, receiver: Receiver, routed: Routed) -> None:
    await routed.route({**EVERY, **LIMITED}, rules=1)
    routed.callee.delay = LONG
    span = await called(probe, receiver, routed.name)
    assert in_time(span), span


@pytest.mark.parametrize(
    "condition",
    [{"Prefix": "00-{trace}-"}, {"Suffix": "-01"}, {"Regex": "00-[0-9a-f-]+"}, {"Exact": "x", "Invert": True}],
    ids=str,
)
async def test_a_route_is_for_the_calls_with_its_metadata(
    probe: Probe, receiver: Receiver, routed: Routed, condition: dict[str, Any]
) -> None:
    """What the metadata of a probe's call is known to hold is the trace that it belongs to."""
    trace = secrets.token_hex(16)
    written = {key: value.replace("{trace}", trace) if key == "Prefix" else value for key, value in condition.items()}
    headers = [{"Name": "traceparent", **written}, {"Name": "traceparent", "Regex": f"00-{trace}-.*"}]
    await routed.route({"Match": {"HTTP": {"PathPrefix": "/", "Header": headers}}, **LIMITED}, rules=1)
    routed.callee.delay = LONG
    limited = await called(probe, receiver, routed.name, trace=trace)
    assert in_time(limited), limited
    lasting = await called(probe, receiver, routed.name)
    assert lasting.attributes["rpc.response.status_code"] == "OK"


async def test_what_was_said_last_holds_while_the_control_plane_is_away(
    language: Language, probes: Probes, mesh: Mesh, receiver: Receiver, routed: Routed, tmp_path: Any
) -> None:
    await routed.route({**EVERY, **LIMITED}, rules=1)
    async with ControlPlane(tmp_path / "control", mesh.consul.url) as control:
        probe = await probes.start(language, GRPC_XDS_BOOTSTRAP_CONFIG=control.bootstrap("test/probe/1"))

        async def answered() -> bool:
            span = await called(probe, receiver, routed.name)
            return bool(span.attributes["rpc.response.status_code"] == "OK")

        await until(answered, "an answer in time")
        await control.end(signal.SIGKILL)
        routed.callee.delay = LONG
        span = await called(probe, receiver, routed.name)
    assert in_time(span), span


BUDGET = {"percent": 20, "min_per_second": 0}
AMPLE = {"percent": 100, "min_per_second": 1000}


async def _slow_first(language: Language, probes: Probes, mesh: Mesh, receiver: Receiver, routed: Routed) -> list[Span]:
    """Call four times a service of which one of two instances never answers, with 3 seconds for each call."""
    async with Callee() as slow:
        slow.delay = 60
        await slow.join(mesh, routed.name)
        probe = await probes.start(language, GOSSAMER_DEADLINE="3s")
        spans = [await called(probe, receiver, routed.name, within=None) for _ in range(4)]
        await mesh.consul.deregister(slow.instance)
    return spans


async def test_an_attempt_that_takes_too_long_is_given_up_for_another(
    language: Language, probes: Probes, mesh: Mesh, receiver: Receiver, routed: Routed
) -> None:
    await routed.default(attempt_timeout="500ms")
    spans = await _slow_first(language, probes, mesh, receiver, routed)
    assert {span.attributes["rpc.response.status_code"] for span in spans} == {"OK"}
    assert any("retry" in span.events for span in spans), "instances take turns"


async def test_without_a_limit_for_attempts_a_slow_instance_takes_all_the_time_there_is(
    language: Language, probes: Probes, mesh: Mesh, receiver: Receiver, routed: Routed
) -> None:
    """The control of the test above."""
    spans = await _slow_first(language, probes, mesh, receiver, routed)
    assert {span.attributes["rpc.response.status_code"] for span in spans} == {"OK", "DEADLINE_EXCEEDED"}


@pytest.mark.parametrize(
    ("budget", "attempts"), [(BUDGET, 60), (AMPLE, 200), (None, 200)], ids=["small", "ample", "no budget"]
)
async def test_retries_stop_where_the_budget_ends(
    language: Language, probes: Probes, routed: Routed, budget: dict[str, float] | None, attempts: int
) -> None:
    """50 calls that all fail make 10 retries with 20 percent, and else 3 each; never does gRPC try again as well."""
    if budget:
        await routed.default(retry_budget=budget)
    probe = await probes.start(language)
    routed.callee.failing = True
    request = pb.CallRequest(service=routed.name, method=pb.CALL_METHOD_ECHO)
    codes = await asyncio.gather(*(probe.stub.Call(request, timeout=20).code() for _ in range(50)))
    assert grpc.StatusCode.OK not in codes
    assert attempts - 5 <= routed.callee.calls <= attempts


OUTLIER = {"interval": "500ms", "base_ejection": "1s", "request_volume": 3}


@asynccontextmanager
async def _half_failing(probe: Probe, mesh: Mesh, routed: Routed, outlier: Any) -> AsyncIterator[Callee]:
    """Add an instance that fails to a service whose calls are made once, and have both called."""
    await routed.written(retry=False, outlier=outlier)
    async with Callee() as failing:
        failing.failing = True
        await failing.join(mesh, routed.name)

        async def both() -> bool:
            return await _answered(probe, routed) == {True, False}

        await until(both, "calls of both instances")
        yield failing
        await mesh.consul.deregister(failing.instance)


async def _answered(probe: Probe, routed: Routed) -> set[bool]:
    """Have a probe call the service 20 times at once. Gives whether calls were answered."""
    request = pb.CallRequest(service=routed.name, method=pb.CALL_METHOD_ECHO)
    codes = await asyncio.gather(*(probe.stub.Call(request, timeout=20).code() for _ in range(20)))
    return {code == grpc.StatusCode.OK for code in codes}


async def _until_left_alone(probe: Probe, routed: Routed, within: float = WITHIN) -> None:
    async def fine() -> bool:
        return await _answered(probe, routed) == {True}

    await until(fine, "calls of the other instance alone", within)


async def test_an_instance_whose_calls_fail_is_left_alone_for_a_while(probe: Probe, mesh: Mesh, routed: Routed) -> None:
    async with _half_failing(probe, mesh, routed, OUTLIER) as failing:
        await _until_left_alone(probe, routed)
        failing.failing, before = False, failing.calls

        async def back() -> bool:
            await _answered(probe, routed)
            return failing.calls > before

        await until(back, "calls of the instance that failed")


async def test_an_instance_whose_calls_fail_is_called_on_where_that_is_switched_off(
    probe: Probe, mesh: Mesh, routed: Routed
) -> None:
    """The control of the test above."""
    async with _half_failing(probe, mesh, routed, outlier=False):
        with pytest.raises(AssertionError, match="expected calls of the other instance alone"):
            await _until_left_alone(probe, routed, within=2)
