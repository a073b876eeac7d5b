"""Unary calls that are tried again by the kit, as the control plane says."""

# ruff: noqa: ARG002  (handlers have the signature of their contract)

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from harness.traffic import Traffic

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
RETRY = {"times": 3, "statuses": ["UNAVAILABLE"]}


class Scripted(ProbeServiceServicer):
    """Plays one part an attempt, the last one again and again: a status, seconds to wait, or None for an answer."""

    def __init__(self, *parts: Any, pushback: str = "") -> None:
        self._parts = parts
        self._pushback = pushback
        self.attempts = 0
        self.remaining: list[float] = []
        self.cancelled = 0

    async def Echo(self, request, context):
        part = self._parts[min(self.attempts, len(self._parts) - 1)]
        self.attempts += 1
        self.remaining.append(context.time_remaining())
        if isinstance(part, grpc.StatusCode):
            trailers = (
                ("attempt", str(self.attempts)),
                *([("grpc-retry-pushback-ms", self._pushback)] if self._pushback else []),
            )
            await context.abort(part, f"attempt {self.attempts}", trailers)
        if part:
            try:
                await asyncio.sleep(part)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return pb.EchoResponse(payload=request.payload)

    async def Count(self, request, context) -> AsyncIterator[pb.CountResponse]:
        self.attempts += 1
        await context.abort(UNAVAILABLE, "no")
        yield pb.CountResponse()


@pytest.fixture
async def calling(pair) -> AsyncIterator[Any]:
    """Starts a pair whose caller has been told a rule for every call, and perhaps a budget."""
    async with Traffic() as traffic:

        async def start(servicer: Scripted, budget: dict[str, float] | None = None, **rule: Any) -> Any:
            rules = [{"match": {"pathComparison": "COMPARISON_PREFIX"}, **rule}]
            await traffic.say(callee={"rules": rules, **({"retryBudget": budget} if budget else {})})
            return await pair(servicer, control=traffic.address, carries_retries=True)

        yield start


async def test_a_call_is_tried_until_it_succeeds(calling) -> None:
    scripted = Scripted(UNAVAILABLE, UNAVAILABLE, None)
    running = await calling(scripted, retry=RETRY)
    assert (await running.stub.Echo(pb.EchoRequest(payload=b"x"))).payload == b"x"
    assert scripted.attempts == 3


async def test_the_last_attempts_failure_is_the_calls(calling) -> None:
    scripted = Scripted(UNAVAILABLE)
    running = await calling(scripted, retry=RETRY)
    call = running.stub.Echo(pb.EchoRequest())
    with pytest.raises(grpc.aio.AioRpcError, match="attempt 4"):
        await call
    assert scripted.attempts == 4
    assert (await call.code(), await call.details()) == (UNAVAILABLE, "attempt 4")
    assert (await call.trailing_metadata())["attempt"] == "4"


async def test_a_call_that_failed_is_gone_with_its_last_user(calling) -> None:
    """Its channel, and what the process follows for it, stays as long as it does."""
    running = await calling(Scripted(UNAVAILABLE), retry={"times": 1, "statuses": ["UNAVAILABLE"]})
    gc.disable()
    try:
        call = running.stub.Echo(pb.EchoRequest())
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
        left = weakref.ref(failure.value)
        del call, failure
        await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()


async def test_another_failure_is_not_tried_again(calling) -> None:
    scripted = Scripted(grpc.StatusCode.ABORTED)
    running = await calling(scripted, retry=RETRY)
    assert await running.stub.Echo(pb.EchoRequest()).code() == grpc.StatusCode.ABORTED
    assert scripted.attempts == 1


async def test_where_grpc_tries_again_the_kit_does_not(pair) -> None:
    """The control of the first test."""
    async with Traffic() as traffic:
        await traffic.say(callee={"rules": [{"match": {"pathComparison": "COMPARISON_PREFIX"}, "retry": RETRY}]})
        running = await pair(scripted := Scripted(UNAVAILABLE, None), control=traffic.address)
        assert await running.stub.Echo(pb.EchoRequest()).code() == UNAVAILABLE
    assert scripted.attempts == 1


async def test_a_stream_is_not_tried_again(calling) -> None:
    scripted = Scripted(None)
    running = await calling(scripted, retry=RETRY)
    await running.stub.Echo(pb.EchoRequest())  # after which the rule is known
    assert await running.stub.Count(pb.CountRequest()).code() == UNAVAILABLE
    assert scripted.attempts == 2


async def test_an_attempt_that_takes_too_long_is_given_up_for_another(calling) -> None:
    scripted = Scripted(60, None)
    running = await calling(scripted, retry=RETRY, attemptTimeout="0.2s")
    begin = time.monotonic()
    await running.stub.Echo(pb.EchoRequest(), timeout=5)
    assert 0.2 <= time.monotonic() - begin < 4
    assert scripted.attempts == 2
    assert scripted.remaining[0] <= 0.21


async def test_an_attempt_has_no_more_than_what_is_left_of_the_call(calling) -> None:
    scripted = Scripted(60)
    running = await calling(scripted, retry=RETRY, timeout="1s", attemptTimeout="0.6s")
    begin = time.monotonic()
    assert await running.stub.Echo(pb.EchoRequest()).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.9 < time.monotonic() - begin < 4
    assert scripted.attempts == 2
    assert scripted.remaining[1] < 0.45


async def test_a_limit_for_attempts_without_retries_ends_the_call(calling) -> None:
    scripted = Scripted(60)
    running = await calling(scripted, attemptTimeout="0.2s")
    assert await running.stub.Echo(pb.EchoRequest()).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert scripted.attempts == 1


@pytest.mark.parametrize(
    ("budget", "attempts"), [({"percent": 20}, 60), ({"percent": 20, "minPerSecond": 1}, 70), (None, 200)]
)
async def test_no_more_is_tried_again_than_the_budget_allows(calling, budget, attempts) -> None:
    scripted = Scripted(UNAVAILABLE)
    running = await calling(scripted, budget, retry=RETRY)
    codes = await asyncio.gather(*(running.stub.Echo(pb.EchoRequest()).code() for _ in range(50)))
    assert set(codes) == {UNAVAILABLE}
    assert scripted.attempts == attempts


async def test_a_server_can_ask_for_a_pause(calling) -> None:
    scripted = Scripted(UNAVAILABLE, None, pushback="400")
    running = await calling(scripted, retry=RETRY)
    begin = time.monotonic()
    await running.stub.Echo(pb.EchoRequest())
    assert 0.4 <= time.monotonic() - begin < 4


@pytest.mark.parametrize("pushback", ["-1", "never"])
async def test_a_server_can_ask_not_to_be_called_again(calling, pushback) -> None:
    scripted = Scripted(UNAVAILABLE, None, pushback=pushback)
    running = await calling(scripted, retry=RETRY)
    assert await running.stub.Echo(pb.EchoRequest()).code() == UNAVAILABLE
    assert scripted.attempts == 1


@pytest.mark.parametrize("how", ["its call", "its task"])
async def test_a_cancelled_call_ends_its_attempt_at_once(calling, how) -> None:
    scripted = Scripted(UNAVAILABLE, 60)
    running = await calling(scripted, retry=RETRY)
    call = running.stub.Echo(pb.EchoRequest())
    waiting = asyncio.ensure_future(_awaited(call))
    async with asyncio.timeout(5):
        while scripted.attempts < 2:
            await asyncio.sleep(0.005)
        assert (call if how == "its call" else waiting).cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while not scripted.cancelled:
            await asyncio.sleep(0.005)
    assert (call.cancelled(), await call.code()) == (True, grpc.StatusCode.CANCELLED)


async def _awaited(call: Any) -> None:
    await call


async def test_all_attempts_are_one_span_with_an_event_for_each_that_failed(calling) -> None:
    running = await calling(Scripted(UNAVAILABLE), {"percent": 200}, retry=RETRY)
    await running.stub.Echo(pb.EchoRequest()).code()
    [span] = running.spans("CLIENT")
    assert span.attributes["rpc.response.status_code"] == "UNAVAILABLE"
    assert [(event.name, event.attributes["attempt"]) for event in span.events] == [
        ("retry", 1),
        ("retry", 2),
        ("retry budget spent", 3),
    ]
    assert span.events[0].attributes["rpc.response.status_code"] == "UNAVAILABLE"


async def test_a_caller_that_ends_ends_its_calls(calling) -> None:
    """A channel that is closed looks through the calls under way, and gRPC knows only its own."""
    servicer = Scripted(60)
    running = await calling(servicer, retry=RETRY)
    call = running.stub.Echo(pb.EchoRequest())
    async with asyncio.timeout(10):
        while not servicer.attempts:
            await asyncio.sleep(0.01)
    await running.caller._channels["callee"].close()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() == grpc.StatusCode.CANCELLED
