"""The Python kit's probe: serves gossamer.probe.v1.ProbeService, so that the kit can be watched from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from google.protobuf.duration_pb2 import Duration

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Error, Kit, run, trace_id

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Probe(ProbeServiceServicer):
    """Does what it is told, and tells what it saw."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._cancelled: Counter[str] = Counter()
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
            await self._wait(request.last_wait, "relay")
        return pb.RelayResponse(hops=hops)

    async def Wait(self, request: pb.WaitRequest, context: Context) -> pb.WaitResponse:
        """Wait, and count those who gave up."""
        earlier = self._cancelled[request.key]
        await self._wait(request.duration, request.key)
        return pb.WaitResponse(cancelled=earlier, hop=self._hop(context))

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
                await self._wait(request.interval, "count")
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

    async def _wait(self, duration: Duration, key: str) -> None:
        try:
            await asyncio.sleep(duration.ToTimedelta().total_seconds())
        except asyncio.CancelledError:
            self._cancelled[key] += 1
            raise

    def _fail(self, request: pb.FailRequest) -> None:
        if request.mode == pb.FAIL_MODE_STATUS and request.code:
            code = next(code for code in grpc.StatusCode if code.value[0] == request.code)
            raise Error(code, "PROBE_STATUS", "failed as told")
        if request.mode == pb.FAIL_MODE_DOMAIN:
            raise Error(grpc.StatusCode.NOT_FOUND, "PROBE_NOT_FOUND", "nothing to find here")
        if request.mode == pb.FAIL_MODE_UNEXPECTED:
            raise RuntimeError("secret: nobody must see this")

    def _hop(self, context: Context) -> pb.Hop:
        config = self._kit.config
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        hop = pb.Hop(service=config.service, instance=config.instance, language="python", metadata=metadata)
        hop.trace_id = trace_id()
        if (remaining := context.time_remaining()) is not None:
            hop.remaining.FromNanoseconds(int(remaining * 1e9))
        return hop


async def main() -> None:
    """Configure, serve, join, wait."""
    async with Kit(Config.from_environment()) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, Probe(kit))
        await kit.join()
        await kit.wait()


run(main)
