"""The handler that both servers have, the kit's and the bare one, so that a difference is the kit's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossamer.probe.v1.probe_pb2 import EchoRequest, EchoResponse
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class Echoes(ProbeServiceServicer):
    """Gives back what it gets; the other methods are not called."""

    async def Echo(self, request: EchoRequest, context: Context) -> EchoResponse:  # noqa: ARG002  (what gRPC calls)
        """Answer."""
        return EchoResponse(payload=request.payload)
