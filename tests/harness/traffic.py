"""A control plane that says of calls what a test wants it to."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.json_format import ParseDict

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceServicer, add_TrafficServiceServicer_to_server


class Traffic(TrafficServiceServicer):
    """Streams policies, given as JSON by service. Until `say` was called it says nothing. `async with` binds it."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[pb.WatchCallPoliciesRequest] = []
        self._said: dict[str, pb.CallPolicy] | None = None
        self._changed = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start("127.0.0.1:0")
        return self

    async def start(self, address: str) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_TrafficServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port(address)}"
        await self._server.start()

    async def stop(self) -> None:
        assert self._server
        await self._server.stop(None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def say(self, **policies: dict[str, Any]) -> None:
        async with self._changed:
            self._said = {
                name: ParseDict({"service": name, **said}, pb.CallPolicy()) for name, said in policies.items()
            }
            self._changed.notify_all()

    async def until_asked(self, times: int) -> pb.WatchCallPoliciesRequest:
        async with self._changed, asyncio.timeout(5):
            await self._changed.wait_for(lambda: len(self.asked) >= times)
        return self.asked[-1]

    async def WatchCallPolicies(self, request: Any, _context: Any) -> AsyncIterator[pb.WatchCallPoliciesResponse]:
        async with self._changed:
            self.asked.append(request)
            self._changed.notify_all()
        sent = None
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda sent=sent: self._said is not sent)
                sent = self._said
            assert sent is not None
            yield pb.WatchCallPoliciesResponse(
                changed=[sent.get(service, pb.CallPolicy(service=service)) for service in request.services]
            )
