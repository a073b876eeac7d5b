"""Peers of the probes that know no kit: plain grpc.aio servers in Consul, and clients that follow the mesh by xDS."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import grpc
from aiohttp import web
from conformance.mesh import Mesh
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from harness.probe import channel

from gossamer.mesh.v1 import mesh_pb2
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server

CONTRACT = "gossamer.probe.v1.ProbeService"


class Callee(ProbeServiceServicer):
    """A plain server of the probe contract, that remembers what came in. `async with` binds it."""

    def __init__(self, instance: str = "") -> None:
        self.instance = instance or f"callee-{secrets.token_hex(3)}"
        self.delay = 0.0
        """Seconds that it waits before it answers anything but a Relay."""
        self.failing = False
        """Whether it answers with UNAVAILABLE then."""
        self.address = ""
        self.calls = 0
        self.hops: list[pb.Hop] = []
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self._server = grpc.aio.server()

    async def __aenter__(self) -> Self:
        add_ProbeServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def Relay(self, request: pb.RelayRequest, context: Any) -> pb.RelayResponse:
        """End the chain here, after the wait."""
        hop = self._came_in(context)
        try:
            await asyncio.sleep(request.last_wait.ToTimedelta().total_seconds())
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return pb.RelayResponse(hops=[hop])

    async def Echo(self, request: pb.EchoRequest, context: Any) -> pb.EchoResponse:
        """Give back what came in."""
        hop = self._came_in(context)
        await self._hesitate(context)
        return pb.EchoResponse(payload=request.payload, hop=hop)

    async def Count(self, request: pb.CountRequest, context: Any) -> AsyncIterator[pb.CountResponse]:
        """Stream numbers."""
        self._came_in(context)
        await self._hesitate(context)
        for number in range(1, request.to + 1):
            yield pb.CountResponse(number=number)

    async def Sum(self, request_iterator: AsyncIterator[pb.SumRequest], context: Any) -> pb.SumResponse:
        """Add up a stream."""
        self._came_in(context)
        await self._hesitate(context)
        return pb.SumResponse(sum=sum([request.number async for request in request_iterator]))

    async def Chat(
        self, request_iterator: AsyncIterator[pb.ChatRequest], context: Any
    ) -> AsyncIterator[pb.ChatResponse]:
        """Say everything back."""
        self._came_in(context)
        await self._hesitate(context)
        async for request in request_iterator:
            yield pb.ChatResponse(text=request.text)

    def _came_in(self, context: Any) -> pb.Hop:
        self.calls += 1
        self.entered.set()
        hop = pb.Hop(service="callee", instance=self.instance, language="none")
        hop.metadata.update({key: value for key, value in context.invocation_metadata() if isinstance(value, str)})
        if (remaining := context.time_remaining()) is not None:
            hop.remaining.FromNanoseconds(int(remaining * 1e9))
        self.hops.append(hop)
        return hop

    async def _hesitate(self, context: Any) -> None:
        await asyncio.sleep(self.delay)
        if self.failing:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")

    async def join(self, mesh: Mesh, service: str) -> None:
        """Register in Consul as an instance of a service, and wait until the mesh calls it."""
        await mesh.consul.register(service, self.instance, self.address, contracts=[CONTRACT])
        await mesh.until_serving(service, self.instance)


class RecordingAgent:
    """Stands in for a Consul agent where the real one doesn't tell again what it was told. Knows no instance."""

    def __init__(self) -> None:
        self.address = ""
        self.registered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        application = web.Application()
        application.router.add_put("/v1/agent/service/register", self._register)
        self._runner = web.AppRunner(application)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _register(self, request: web.Request) -> web.Response:
        if not self.registered.done():
            self.registered.set_result(_lower(await request.json()))
        return web.Response()


def _lower(value: Any) -> Any:
    """Write all keys in lower case, as Consul takes them in any."""
    if isinstance(value, dict):
        return {key.lower(): _lower(each) for key, each in value.items()}
    return [_lower(each) for each in value] if isinstance(value, list) else value


class SilentPeer:
    """Takes connections and never says a word. `async with` binds it."""

    def __init__(self) -> None:
        self.address = ""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(lambda _, writer: self._writers.append(writer), "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


class Wire:
    """A connection to a server that can be held: what the client sends then no longer arrives."""

    def __init__(self, address: str) -> None:
        self.address = ""
        self._host, _, self._port = address.rpartition(":")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def hold(self) -> None:
        """Keep back what the client sends from now on."""
        self._flowing.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onwards, outwards = await asyncio.open_connection(self._host, int(self._port))
        for source, sink, held in ((reader, outwards, True), (onwards, writer, False)):
            self._pumps.add(asyncio.create_task(self._pump(source, sink, held=held)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, held: bool) -> None:
        try:
            while data := await source.read(65536):
                if held:
                    await self._flowing.wait()
                sink.write(data)
        finally:
            sink.transport.abort()


async def left(mesh: Mesh, service: str, instance: str) -> None:
    """Wait until every client has accepted an assignment without the instance, as the control plane says."""
    async with channel(mesh.control.address) as open_channel:
        request = mesh_pb2.AwaitDrainRequest(service=service, instance_id=instance)
        request.max_wait.FromSeconds(10)
        answer = await MeshServiceStub(open_channel).AwaitDrain(request, timeout=15)
    assert answer.drained, answer.waiting_for


def follower(service: str, **options: Any) -> grpc.aio.Channel:
    """Open a plain gRPC client of a service by xDS, with retries as the control plane says unless switched off."""
    settings = {"enable_retries": 1, **options}
    return grpc.aio.insecure_channel(f"xds:///{service}", [(f"grpc.{name}", value) for name, value in settings.items()])


async def spread(stub: Any, service: str, calls: int) -> Counter[str]:
    """Have a probe call a service so many times, eight at once. Counts who answered."""
    request = pb.RelayRequest(services=[service])
    seen: Counter[str] = Counter()

    async def some(count: int) -> None:
        for _ in range(count):
            answer = await stub.Relay(request, timeout=10)
            seen[answer.hops[-1].instance] += 1

    await asyncio.gather(*(some(calls // 8) for _ in range(8)))
    return seen


class Load:
    """Calls at a steady rate whether or not answers come, and a ledger of how each ended."""

    def __init__(self, call: Callable[[], Awaitable[Any]], rate: float) -> None:
        self._call = call
        self._rate = rate
        self.ended: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        """What failed calls said."""
        self.answered_by: Counter[str] = Counter()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._running: set[asyncio.Task[None]] = set()
        self._pacer: asyncio.Task[None] | None = None

    @property
    def failed(self) -> dict[str, int]:
        """How calls failed: the status, and how often."""
        return {status: count for status, count in self.ended.items() if status != "OK"}

    async def __aenter__(self) -> Self:
        self._pacer = asyncio.create_task(self._pace())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._pacer
        self._pacer.cancel()
        await asyncio.wait([self._pacer, *self._running])

    async def until(self, calls: int, within: float = 30) -> None:
        """Wait until so many calls have ended."""
        async with asyncio.timeout(within):
            while self.ended.total() < calls:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Make no call while the block runs, which begins when every call has ended."""
        self._flowing.clear()
        try:
            while self._running:
                await asyncio.wait(self._running)
            yield
        finally:
            self._flowing.set()

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        begin, sent = loop.time(), 0
        while True:
            if not self._flowing.is_set():
                await self._flowing.wait()
                begin, sent = loop.time(), 0
            due = int((loop.time() - begin) * self._rate) - sent
            for _ in range(due):
                task = asyncio.create_task(self._one())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            sent += due
            await asyncio.sleep(1 / self._rate)

    async def _one(self) -> None:
        try:
            answer = await self._call()
        except grpc.aio.AioRpcError as error:
            self.ended[error.code().name] += 1
            self.said[error.details()] += 1
        else:
            self.ended["OK"] += 1
            if answer is not None:
                self.answered_by[answer.hop.instance] += 1


def caller_of(service: str, **options: Any) -> tuple[grpc.aio.Channel, Any]:
    """Open a follower and a stub on it."""
    open_channel = follower(service, **options)
    return open_channel, ProbeServiceStub(open_channel)
