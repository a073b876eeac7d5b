"""Health for a server that has none: a gRPC health service beside it that says whether its port can be connected to.

An instance belongs to the mesh if Consul checks it by gRPC, so a check of the port alone would not do.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

CONNECTS_WITHIN_S = 0.5


class PortHealth(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it comes without types
    """Answers for one port. `async with` serves it on a free port of the same host."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.address = ""

    async def __aenter__(self) -> Self:
        health_pb2_grpc.add_HealthServicer_to_server(self, self._server)
        self.address = f"{self._host}:{self._server.add_insecure_port(f'{self._host}:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        """Say SERVING if someone listens."""
        del request, context
        status = health_pb2.HealthCheckResponse
        return status(status=status.SERVING if await self._listens() else status.NOT_SERVING)

    async def _listens(self) -> bool:
        try:
            async with asyncio.timeout(CONNECTS_WITHIN_S):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True
