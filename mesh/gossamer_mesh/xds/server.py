"""The aggregated discovery service on grpc.aio: sockets and tasks around sessions. Decides nothing about what is sent.

Requests are parsed, responses are bytes already. A stream's task takes the next response only when the one before was
written, so a client that doesn't read holds at most one. One that asks for very much waits for it by itself: what its
names are told is found a few at a time, and others have their turn between.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from google.protobuf.message import DecodeError

from gossamer_mesh.xds.holders import Holders
from gossamer_mesh.xds.node import Node
from gossamer_mesh.xds.resource import ResourceSet
from gossamer_mesh.xds.session import Refusal, Response, Session
from gossamer_mesh.xds.signal import Signal
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import View

log = logging.getLogger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"

MOST_NAMES = 20_000
"""How many names of a type one stream may follow; gRPC clients follow those of the services that they call."""

AT_A_TIME = 50
"""How many new names are looked up before others have their turn: a few milliseconds' work."""

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(kw_only=True, eq=False, slots=True)
class Stream:
    """One client's stream."""

    number: int
    """One more than that of the stream before."""
    peer: str
    """Where it connects from."""
    session: Session = field(default_factory=Session)
    connect_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may be due, or the stream is to end."""
    ended: bool = False

    @property
    def node(self) -> Node:
        """Who the client says it is."""
        return self.session.node or Node()

    def end(self) -> None:
        """Have the stream's task end it."""
        self.ended = True
        self.woken.set()


class AdsServer:
    """Serves the newest resources to every stream."""

    def __init__(self, *, refused: Callable[[Node, Refusal], None] | None = None) -> None:
        """Tell each refusal of a client to `refused`."""
        self.answered = Signal()
        """Sent when a client accepted or refused something, asked for something, or went away."""
        self._refused = refused
        self._resources_of: Callable[[View], ResourceSet] | None = None
        self._holders = Holders()
        self._streams: dict[int, Stream] = {}
        self._numbers = itertools.count()

    @property
    def streams(self) -> Collection[Stream]:
        """The streams there are, in the order in which they began."""
        return self._streams.values()

    @property
    def views(self) -> frozenset[View]:
        """Those of the clients there are."""
        return frozenset(stream.session.view for stream in self._streams.values() if stream.session.view)

    def publish(self, resources_of: Callable[[View], ResourceSet]) -> None:
        """Serve from now on what this gives for each client's view; it is asked again only for clients that come."""
        self._resources_of = resources_of
        sets: dict[View, ResourceSet] = {}
        for stream in self._streams.values():
            if view := stream.session.view:
                if view not in sets:
                    sets[view] = resources_of(view)
                stream.session.offer(sets[view])
                self._wake(stream)

    def end(self) -> None:
        """End every stream; clients come back when there is a control plane again."""
        for stream in self._streams.values():
            stream.end()

    def calling(self, service: str, address: str) -> Iterator[Node]:
        """Find the clients that may still call that address of a service, one after the other.

        They follow an assignment of the service's name, or of another that held the address, and have not accepted one
        without it.
        """
        names = self._holders.of(address) | {service}
        for stream in self._streams.values():
            if any(self._may_call(stream.session, name, address) for name in names):
                yield stream.node

    @staticmethod
    def _may_call(session: Session, name: str, address: str) -> bool:
        return session.follows(Type.CLUSTER_LOAD_ASSIGNMENT, name) and not session.has_left(name, address)

    def handler(self) -> grpc.GenericRpcHandler:
        """Make the handler to add to a server. It takes and gives bytes."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._serve)
        return grpc.method_handlers_generic_handler(SERVICE, {"StreamAggregatedResources": method})

    async def _serve(self, _: object, context: Context) -> None:
        stream = Stream(number=next(self._numbers), peer=context.peer())
        self._streams[stream.number] = stream
        reader = asyncio.create_task(self._read(stream, context))
        try:
            await self._write(stream, context)
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            del self._streams[stream.number]
            self.answered.send()

    async def _read(self, stream: Stream, context: Context) -> None:
        try:
            while (data := await context.read()) is not grpc.aio.EOF:
                await self._receive(stream, data, context)
        finally:
            stream.end()

    async def _receive(self, stream: Stream, data: bytes, context: Context) -> None:
        try:
            request = DiscoveryRequest.FromString(data)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected a DiscoveryRequest")
        if not request.type_url:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected a type_url")
        if len(request.resource_names) > MOST_NAMES:
            found = f"expected at most {MOST_NAMES} names of a type, found {len(request.resource_names)}"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, found)
        came = stream.session.view is None
        refusal = stream.session.receive(request)
        if refusal:
            self._note(stream.node, refusal)
        if came and self._resources_of and stream.session.view:
            stream.session.offer(self._resources_of(stream.session.view))
        self._wake(stream)
        self.answered.send()

    def _note(self, node: Node, refusal: Refusal) -> None:
        """Tell a refusal, and log it once."""
        if self._refused:
            self._refused(node, refusal)
        if not refusal.repeated:
            log.warning(
                "a client refused what it was sent and keeps what it had",
                extra={"node": node.id, "type": refusal.type.value, "reason": refusal.reason},
            )

    @staticmethod
    def _wake(stream: Stream) -> None:
        """Have what is due sent. Most of what is said to clients, and by them, makes nothing due: nobody is woken."""
        if stream.session.pending:
            stream.woken.set()

    async def _write(self, stream: Stream, context: Context) -> None:
        while not stream.ended:
            while response := await self._next(stream.session):
                if response.type is Type.CLUSTER_LOAD_ASSIGNMENT:
                    for resource in response.resources:
                        self._holders.note(resource)
                await context.write(response.encode())
            await stream.woken.wait()
            stream.woken.clear()

    @staticmethod
    async def _next(session: Session) -> Response | None:
        found = []  # held until it is sent: what nobody holds is made again
        for number, resource in enumerate(session.new(), 1):
            found.append(resource)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return session.take()
