"""The Python kit's probe: serves gossamer.probe.v1.ProbeService, so that the kit can be watched from outside.

PROBE_JOIN_AFTER, in seconds, is how long it serves before it joins.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status.rpc_status import from_call

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Error, Kit, run, trace_id

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
REFUSED_CODE = 99


class Probe(ProbeServiceServicer):
    """Does what it is told, and tells what it saw."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._cancelled: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._fails = 0

    async def Echo(self, request: pb.EchoRequest, context: Context) -> pb.EchoResponse:
        """Give back what came in."""
        return pb.EchoResponse(payload=request.payload, hop=self._hop(context), padding=bytes(request.response_padding))

    async def Relay(self, request: pb.RelayRequest, context: Context) -> pb.RelayResponse:
        """Call the rest of the chain."""
        hops = [self._hop(context)]
        if request.services:
            following = pb.RelayRequest(services=request.services[1:], last_wait=request.last_wait)
            answer = await self._kit.client(ProbeServiceStub, request.services[0]).Relay(following)
            hops += answer.hops
        else:
            await self._wait(pb.WaitRequest(duration=request.last_wait, key="relay"))
        return pb.RelayResponse(hops=hops)

    async def Wait(self, request: pb.WaitRequest, context: Context) -> pb.WaitResponse:
        """Wait, and count those who wait and those who gave up."""
        cancelled, waiting = self._cancelled[request.key], self._waiting[request.key]
        await self._wait(request)
        return pb.WaitResponse(cancelled=cancelled, waiting=waiting, hop=self._hop(context))

    async def Call(self, request: pb.CallRequest, _context: Context) -> pb.CallResponse:
        """Call one method of another service."""
        await self._wait(request.first)
        stub = self._kit.client(ProbeServiceStub, request.service)
        if request.method == pb.CALL_METHOD_ECHO:
            return pb.CallResponse(hop=(await stub.Echo(pb.EchoRequest())).hop)
        if request.method == pb.CALL_METHOD_WAIT:
            return pb.CallResponse(hop=(await stub.Wait(request.wait)).hop)
        if request.method == pb.CALL_METHOD_FAIL:
            return pb.CallResponse(failure=await _failure(stub, pb.FailRequest(mode=pb.FAIL_MODE_DOMAIN)))
        if request.method == pb.CALL_METHOD_REFUSED:
            return pb.CallResponse(failure=await _failure(stub, pb.FailRequest(code=REFUSED_CODE)))
        await {
            pb.CALL_METHOD_COUNT: _count,
            pb.CALL_METHOD_SUM: _sum,
            pb.CALL_METHOD_CHAT: _chat,
        }[request.method](stub, abandon=request.abandon)
        return pb.CallResponse()

    async def Fail(self, request: pb.FailRequest, context: Context) -> pb.FailResponse:
        """Fail as told."""
        self._fails += 1
        here = request.only_instance in ("", self._kit.config.instance)
        if here and self._fails % max(request.every, 1) == 0:
            self._fail(request)
        return pb.FailResponse(hop=self._hop(context))

    async def Count(self, request: pb.CountRequest, _context: Context) -> AsyncIterator[pb.CountResponse]:
        """Stream numbers."""
        for number in range(1, request.to + 1):
            if number > 1 and request.HasField("interval"):
                await self._wait(pb.WaitRequest(duration=request.interval, key="count"))
            yield pb.CountResponse(number=number)

    async def Sum(self, request_iterator: AsyncIterator[pb.SumRequest], _context: Context) -> pb.SumResponse:
        """Add up a stream."""
        numbers = [request.number async for request in request_iterator]
        return pb.SumResponse(sum=sum(numbers), count=len(numbers))

    async def Chat(
        self, request_iterator: AsyncIterator[pb.ChatRequest], _context: Context
    ) -> AsyncIterator[pb.ChatResponse]:
        """Say everything back."""
        async for request in request_iterator:
            yield pb.ChatResponse(text=request.text, instance=self._kit.config.instance)

    async def _wait(self, request: pb.WaitRequest) -> None:
        end = time.monotonic() + request.duration.ToTimedelta().total_seconds()
        self._waiting[request.key] += 1
        try:
            while (left := end - time.monotonic()) > 0:
                try:
                    await asyncio.sleep(left)
                except asyncio.CancelledError:
                    self._cancelled[request.key] += 1
                    if not request.ignore_cancellation:
                        raise
        finally:
            self._waiting[request.key] -= 1

    def _fail(self, request: pb.FailRequest) -> None:
        if request.mode == pb.FAIL_MODE_STATUS and request.code:
            code = next(code for code in grpc.StatusCode if code.value[0] == request.code)
            raise Error(code, "PROBE_STATUS", "failed as told")
        if request.mode == pb.FAIL_MODE_DOMAIN:
            raise Error(grpc.StatusCode.NOT_FOUND, "PROBE_NOT_FOUND", "nothing to find here")
        if request.mode in (pb.FAIL_MODE_UNEXPECTED, pb.FAIL_MODE_PANIC):
            raise RuntimeError("secret: nobody must see this")

    def _hop(self, context: Context) -> pb.Hop:
        config = self._kit.config
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        hop = pb.Hop(service=config.service, instance=config.instance, language="python", metadata=metadata)
        hop.trace_id = trace_id()
        if (remaining := context.time_remaining()) is not None:
            hop.remaining.FromNanoseconds(int(remaining * 1e9))
        return hop


async def _failure(stub: Any, request: pb.FailRequest) -> pb.CallFailure:
    try:
        await stub.Fail(request)
    except grpc.aio.AioRpcError as error:
        failure = pb.CallFailure(code=error.code().value[0], message=error.details())
        info, bad = ErrorInfo(), BadRequest()
        status = from_call(error)
        for detail in status.details if status else ():
            if detail.Unpack(info):
                failure.reason, failure.domain = info.reason, info.domain
            if detail.Unpack(bad):
                failure.fields.extend(violation.field for violation in bad.field_violations)
        return failure
    return pb.CallFailure()


async def _count(stub: Any, *, abandon: bool) -> None:
    async for _ in stub.Count(pb.CountRequest(to=3)):
        if abandon:
            return


async def _sum(stub: Any, *, abandon: bool) -> None:
    call = stub.Sum()
    for number in (1, 2, 3):
        await call.write(pb.SumRequest(number=number))
        if abandon:
            return
    await call.done_writing()
    await call


async def _chat(stub: Any, *, abandon: bool) -> None:
    call = stub.Chat()
    for text in ("one", "two", "three"):
        await call.write(pb.ChatRequest(text=text))
        await call.read()
        if abandon:
            return
    await call.done_writing()
    await call.read()


async def main() -> None:
    """Configure, serve, join, wait."""
    async with Kit(Config.from_environment()) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, Probe(kit))
        await asyncio.sleep(float(os.environ.get("PROBE_JOIN_AFTER", "0")))
        await kit.join()
        await kit.wait()


run(main)
