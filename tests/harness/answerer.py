"""A server that answers every unary method with its name, as Echo does: for calls of methods that no contract has."""

from types import TracebackType
from typing import Any, Self

import grpc

from gossamer.probe.v1 import probe_pb2


class Answerer(grpc.GenericRpcHandler):
    """One server. `async with` serves on a free port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""
        self._answer = probe_pb2.EchoResponse(hop=probe_pb2.Hop(instance=name)).SerializeToString()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        await self._server.stop(None)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Take every method."""
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(self._respond)

    async def _respond(self, request: bytes, context: Any) -> bytes:
        del request, context
        return self._answer
