"""The stream from the control plane, and when calls wait for it."""

# ruff: noqa: ARG002  (handlers have the signature of their contract)

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from harness.traffic import Traffic

from gossamer.mesh.v1.traffic_pb2 import WatchCallPoliciesRequest
from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub

EVERY = {"pathComparison": "COMPARISON_PREFIX"}
SHORT = {"rules": [{"match": EVERY, "timeout": "0.2s"}]}
NOWHERE = "127.0.0.1:1"


QUICK = 4.0
"""Seconds that are less than the 5 s that a call gets by default."""


class Slow(ProbeServiceServicer):
    """Answers after some seconds: more than any call has, if not said otherwise."""

    def __init__(self, seconds: float = 60) -> None:
        self._seconds = seconds

    async def Echo(self, request, context):
        await asyncio.sleep(self._seconds)
        return pb.EchoResponse()

    async def Count(self, request, context) -> AsyncIterator[pb.CountResponse]:
        await asyncio.sleep(self._seconds)
        yield pb.CountResponse()

    async def Sum(self, request_iterator, context):
        await asyncio.sleep(self._seconds)
        return pb.SumResponse()

    async def Chat(self, request_iterator, context) -> AsyncIterator[pb.ChatResponse]:
        await asyncio.sleep(self._seconds)
        yield pb.ChatResponse()


@pytest.fixture
async def traffic() -> AsyncIterator[Traffic]:
    async with Traffic() as traffic:
        yield traffic


async def echoed(stub: Any, **options: Any) -> tuple[str, float]:
    """Call, and give the status and how long it took."""
    begin = time.monotonic()
    code = await stub.Echo(pb.EchoRequest(), **options).code()
    return code.name, time.monotonic() - begin


async def test_the_stream_says_who_asks_and_for_what(pair, traffic) -> None:
    running = await pair(Slow(), control=traffic.address, zone="z1")
    assert await traffic.until_asked(1) == WatchCallPoliciesRequest(services=["callee"], caller="caller", zone="z1")
    running.caller.client(ProbeServiceStub, "another")
    assert list((await traffic.until_asked(2)).services) == ["another", "callee"]


async def test_the_first_call_waits_for_what_is_said(pair, traffic) -> None:
    running = await pair(Slow(), control=traffic.address)
    first = asyncio.ensure_future(echoed(running.stub))
    await traffic.until_asked(1)
    await traffic.say(callee=SHORT)
    code, took = await first
    assert (code, took < QUICK) == ("DEADLINE_EXCEEDED", True)


@pytest.mark.parametrize("shape", ["Echo", "Count", "Sum", "Chat"])
async def test_a_call_of_any_shape_ends_with_its_rules_time(pair, traffic, shape) -> None:
    running = await pair(Slow(), control=traffic.address)
    await traffic.say(callee=SHORT)
    await echoed(running.stub)
    begin = time.monotonic()
    call = getattr(running.stub, shape)(*([] if shape in {"Sum", "Chat"} else [getattr(pb, f"{shape}Request")()]))
    assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.19 < time.monotonic() - begin < QUICK


async def test_a_call_without_a_rule_lasts(pair, traffic) -> None:
    """The control of the tests around it."""
    running = await pair(Slow(0.5), control=traffic.address)
    await traffic.say(callee={"rules": [{**SHORT["rules"][0], "match": {**EVERY, "path": "/other"}}]})
    assert (await echoed(running.stub))[0] == "OK"


async def test_a_calls_own_time_holds_where_it_is_shorter(pair, traffic) -> None:
    running = await pair(Slow(), control=traffic.address)
    await traffic.say(callee={"rules": [{"match": EVERY, "timeout": "60s"}]})
    code, took = await echoed(running.stub, timeout=0.2)
    assert (code, took < QUICK) == ("DEADLINE_EXCEEDED", True)


async def test_what_was_said_last_holds_without_a_stream(pair, traffic) -> None:
    running = await pair(Slow(), control=traffic.address)
    await traffic.say(callee=SHORT)
    await echoed(running.stub)
    await traffic.stop()
    code, took = await echoed(running.stub)
    assert (code, took < QUICK) == ("DEADLINE_EXCEEDED", True)


async def test_a_change_is_taken_by_a_new_stream_too(pair, traffic) -> None:
    running = await pair(Slow(0.5), control=traffic.address)
    await traffic.say(callee=SHORT)
    await echoed(running.stub)
    await traffic.stop()
    await traffic.say()
    await traffic.start(traffic.address)
    await traffic.until_asked(2)
    async with asyncio.timeout(5):
        while (await echoed(running.stub))[0] != "OK":
            pass


async def test_a_policy_that_no_call_can_be_compared_with_changes_nothing(pair, traffic, capsys) -> None:
    running = await pair(Slow(), control=traffic.address)
    await traffic.say(callee=SHORT)
    await echoed(running.stub)
    await traffic.say(callee={"rules": [{"match": {"pathComparison": "COMPARISON_REGEX", "path": "("}}]})
    async with asyncio.timeout(5):
        while "expected a regular expression" not in (error := capsys.readouterr().err):
            await asyncio.sleep(0.01)
    assert "callee" in error
    code, took = await echoed(running.stub)
    assert (code, took < QUICK) == ("DEADLINE_EXCEEDED", True)


@pytest.mark.parametrize("kind", ["away", "older"])
async def test_no_call_waits_for_a_control_plane_that_says_nothing(pair, capsys, kind) -> None:
    control = NOWHERE if kind == "away" else (await pair(Slow(0))).address  # which has no such service
    running = await pair(Slow(0), control=control)
    code, took = await echoed(running.stub)
    assert (code, took < 0.9) == ("OK", True)
    assert (await echoed(running.stub))[0] == "OK"
    assert capsys.readouterr().err.count("doesn't say what is done to calls") == 1


async def test_no_call_waits_long_for_a_control_plane_that_is_silent(pair, traffic) -> None:
    running = await pair(Slow(0), control=traffic.address)
    code, took = await echoed(running.stub)
    assert (code, 0.8 < took < 2) == ("OK", True)
    assert (await echoed(running.stub))[1] < 0.9, "only once"


async def test_a_call_that_waits_ends_with_its_own_time(pair, traffic) -> None:
    running = await pair(Slow(0), control=traffic.address)
    code, took = await echoed(running.stub, timeout=0.2)
    assert (code, took < 0.9) == ("DEADLINE_EXCEEDED", True)
