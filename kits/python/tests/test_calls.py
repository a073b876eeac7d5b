"""What the kit does around calls, seen from inside: what the probe program can't show."""

# ruff: noqa: ARG002  (handlers have the signature of their contract)

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer
from gossamer_kit import Error


class Probe(ProbeServiceServicer):
    """Answers all that is asked; a count never ends by itself."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def Echo(self, request, context):
        return pb.EchoResponse(payload=request.payload)

    async def Count(self, request, context) -> AsyncIterator[pb.CountResponse]:
        try:
            for number in range(request.to):
                yield pb.CountResponse(number=number)
                await asyncio.sleep(0.01)
        finally:
            self.stopped.set()

    async def Sum(self, request_iterator, context):
        return pb.SumResponse(sum=sum([request.number async for request in request_iterator]))

    async def Chat(self, request_iterator, context) -> None:
        """Talk through `read` and `write` instead of iterators."""
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(pb.ChatResponse(text=request.text))


async def echo(stub: Any) -> None:
    await stub.Echo(pb.EchoRequest())


async def count(stub: Any) -> None:
    assert len([each async for each in stub.Count(pb.CountRequest(to=3))]) == 3


async def total(stub: Any) -> None:
    assert (await stub.Sum(iter([pb.SumRequest(number=2)] * 2))).sum == 4


async def chat(stub: Any) -> None:
    call = stub.Chat()
    await call.write(pb.ChatRequest(text="a"))
    assert (await call.read()).text == "a"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def ended(pair: Any, spans: int) -> None:
    """Wait until so many spans have ended: a server's can be a moment behind its answer."""
    async with asyncio.timeout(5):
        while len(pair.finished.get_finished_spans()) < spans:
            await asyncio.sleep(0.005)


def logged_errors(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in lines if line["level"] == "error"]


@pytest.mark.parametrize("call", [echo, count, total, chat])
async def test_each_shape_is_one_span_a_side(pair, call) -> None:
    running = await pair(Probe())
    await call(running.stub)
    await ended(running, 2)
    [client], [server] = running.spans("CLIENT"), running.spans("SERVER")
    assert client.name == server.name
    assert server.parent.span_id == client.context.span_id
    assert client.attributes["rpc.response.status_code"] == server.attributes["rpc.response.status_code"] == "OK"
    assert (client.attributes["server.address"], client.attributes["service.peer.name"]) == ("callee", "callee")
    assert server.attributes["service.peer.name"] == "caller"


async def test_a_cancelled_call_ends_its_spans(pair) -> None:
    running = await pair(Probe())
    stream = running.stub.Count(pb.CountRequest(to=1000))
    await anext(stream)
    stream.cancel()
    await ended(running, 2)
    assert {span.attributes["rpc.response.status_code"] for span in running.spans("CLIENT")} == {"CANCELLED"}


async def test_a_stream_left_halfway_is_cancelled_and_ends_its_spans_at_once(pair) -> None:
    probe = Probe()
    running = await pair(probe)
    gc.disable()
    try:
        async for _ in running.stub.Count(pb.CountRequest(to=1000)):
            break
        await ended(running, 2)
    finally:
        gc.enable()
    [client], [server] = running.spans("CLIENT"), running.spans("SERVER")
    assert client.attributes["rpc.response.status_code"] == "CANCELLED"
    assert server.attributes["rpc.response.status_code"] == "CANCELLED"
    assert probe.stopped.is_set()


async def test_a_stream_of_requests_left_halfway_is_cancelled_at_once(pair) -> None:
    running = await pair(Probe())
    gc.disable()
    try:
        await running.stub.Sum().write(pb.SumRequest(number=1))
        await ended(running, 1)
    finally:
        gc.enable()
    [client] = running.spans("CLIENT")
    assert client.attributes["rpc.response.status_code"] == "CANCELLED"


async def test_a_stream_that_is_only_held_by_what_it_is_asked_goes_on(pair) -> None:
    running = await pair(Probe())
    gc.collect()
    assert (await running.stub.Count(pb.CountRequest(to=3)).read()).number == 0


async def test_a_stream_read_to_its_end_is_not_cancelled(pair) -> None:
    """The control of the test above."""
    running = await pair(Probe())
    await count(running.stub)
    await ended(running, 2)
    assert running.spans("CLIENT")[0].attributes["rpc.response.status_code"] == "OK"


async def test_a_call_out_of_time_ends_its_span_so(pair) -> None:
    running = await pair(Probe())
    with pytest.raises(grpc.aio.AioRpcError):
        _ = [each async for each in running.stub.Count(pb.CountRequest(to=1000), timeout=0.1)]
    await ended(running, 2)
    [client], [server] = running.spans("CLIENT"), running.spans("SERVER")
    assert client.attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert server.attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"


async def test_a_call_without_time_is_never_answered(pair) -> None:
    """By itself gRPC lets nearly all of these be answered, where the server is near."""
    running = await pair(Probe())
    codes = {await running.stub.Echo(pb.EchoRequest(), timeout=seconds).code() for seconds in [0, 0.0005] * 50}
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_a_cancelled_handler_starts_nothing_new(pair) -> None:
    class Stubborn(ProbeServiceServicer):
        """Goes on after it was cancelled, which it shouldn't."""

        def __init__(self) -> None:
            self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self.echoes = 0
            self.stub: Any = None

        async def Echo(self, request, context):
            self.echoes += 1
            return pb.EchoResponse()

        async def Wait(self, request, context):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                call = self.stub.Echo(pb.EchoRequest())
                self.outcome.set_result((await call.code()).name)
                raise

    stubborn = Stubborn()
    running = await pair(stubborn)
    stubborn.stub = running.stub
    call = running.stub.Wait(pb.WaitRequest())
    await asyncio.sleep(0.2)
    call.cancel()
    async with asyncio.timeout(5):
        assert await stubborn.outcome == "CANCELLED"
    assert stubborn.echoes == 0


class Endures(ProbeServiceServicer):
    """Waits for its cancellation, and makes of it what a test wants."""

    def __init__(self, outcome: BaseException | None = None) -> None:
        self.entered = asyncio.Event()
        self._outcome = outcome

    async def Wait(self, request, context):
        try:
            self.entered.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise self._outcome or asyncio.CancelledError from None


async def test_a_cancellation_that_is_not_the_calls_own_is_unexpected(pair, capsys) -> None:
    class Cancels(ProbeServiceServicer):
        async def Echo(self, request, context):
            work = asyncio.ensure_future(asyncio.sleep(60))
            work.cancel()
            await work

    running = await pair(Cancels())
    call = running.stub.Echo(pb.EchoRequest(), timeout=5)
    assert (await call.code(), await call.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    [line] = logged_errors(capsys)
    assert line["stack"].endswith("CancelledError")
    await ended(running, 2)
    assert running.spans("SERVER")[0].attributes["rpc.response.status_code"] == "INTERNAL"


@pytest.mark.parametrize(
    "outcome", [None, ValueError("of the cancellation")], ids=["the cancellation", "another error"]
)
async def test_whatever_comes_of_a_call_that_was_given_up_is_cancelled(pair, capsys, outcome) -> None:
    endures = Endures(outcome)
    running = await pair(endures)
    call = running.stub.Wait(pb.WaitRequest())
    await endures.entered.wait()
    call.cancel()
    await ended(running, 2)
    assert running.spans("SERVER")[0].attributes["rpc.response.status_code"] == "CANCELLED"
    assert logged_errors(capsys) == []


async def test_whatever_comes_of_a_call_out_of_time_is_that(pair, capsys) -> None:
    running = await pair(Endures(ValueError("of the cancellation")))
    assert await running.stub.Wait(pb.WaitRequest(), timeout=0.2).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await ended(running, 2)
    assert running.spans("SERVER")[0].attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert logged_errors(capsys) == []


async def test_a_failure_that_comes_after_the_time_is_no_news(pair, capsys) -> None:
    class Blocks(ProbeServiceServicer):
        async def Echo(self, request, context):
            time.sleep(0.2)  # noqa: ASYNC251  (so that gRPC can't cancel the handler first)
            raise ValueError("late")

    running = await pair(Blocks())
    assert await running.stub.Echo(pb.EchoRequest(), timeout=0.1).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await ended(running, 2)
    assert running.spans("SERVER")[0].attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert logged_errors(capsys) == []


async def test_a_handler_can_end_with_a_status_of_grpc(pair) -> None:
    class Aborts(ProbeServiceServicer):
        async def Echo(self, request, context):
            await context.abort(grpc.StatusCode.ABORTED, "try again")

        async def Fail(self, request, context):
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_details("gone")
            return pb.FailResponse()

    running = await pair(Aborts())
    assert await running.stub.Echo(pb.EchoRequest()).code() == grpc.StatusCode.ABORTED
    assert await running.stub.Fail(pb.FailRequest()).code() == grpc.StatusCode.DATA_LOSS
    await ended(running, 4)
    assert {span.attributes["rpc.response.status_code"] for span in running.spans("SERVER")} == {"ABORTED", "DATA_LOSS"}


async def test_what_is_not_implemented_is_unimplemented(pair) -> None:
    running = await pair(ProbeServiceServicer())
    call = running.stub.Echo(pb.EchoRequest())
    assert (await call.code(), await call.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")


async def test_an_error_carries_fields_and_metadata(pair) -> None:
    class Refuses(ProbeServiceServicer):
        async def Echo(self, request, context):
            raise Error(
                grpc.StatusCode.FAILED_PRECONDITION,
                "SOLD_OUT",
                "no more of it",
                fields={"items[0].quantity": "2 are left"},
                metadata={"left": "2"},
            )

    running = await pair(Refuses())
    call = running.stub.Echo(pb.EchoRequest())
    assert await call.code() == grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status.FromString((await call.trailing_metadata())["grpc-status-details-bin"])
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert (status.details[0].Unpack(info), status.details[1].Unpack(bad)) == (True, True)
    assert (info.reason, info.domain, dict(info.metadata)) == ("SOLD_OUT", "gossamer.probe.v1", {"left": "2"})
    assert [(each.field, each.description) for each in bad.field_violations] == [("items[0].quantity", "2 are left")]


async def test_what_another_service_answered_is_not_passed_on(pair) -> None:
    class Asks(ProbeServiceServicer):
        stub: Any = None

        async def Echo(self, request, context):
            raise Error(grpc.StatusCode.NOT_FOUND, "SECRET", "a secret of the other service")

        async def Fail(self, request, context):
            return await self.stub.Echo(pb.EchoRequest())

    asks = Asks()
    running = await pair(asks)
    asks.stub = running.stub
    call = running.stub.Fail(pb.FailRequest())
    assert (await call.code(), await call.details()) == (grpc.StatusCode.INTERNAL, "internal error")
