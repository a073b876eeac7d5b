"""The Python twin of main.go: one handler, behind a bare grpc.aio server (-bare) or behind the kit."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gossamer.probe.v1.probe_pb2 import EchoRequest, EchoResponse
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Kit, run

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]


class Echo(ProbeServiceServicer):
    """Gives back what it gets; the other methods are not called."""

    async def Echo(self, request: EchoRequest, context: Context) -> EchoResponse:  # noqa: ARG002  (what gRPC calls)
        """Answer."""
        return EchoResponse(payload=request.payload)


async def serve_bare() -> None:
    """Serve until SIGTERM, announced like the kit does it, with health, without which it could be in no mesh."""
    server = grpc.aio.server()
    add_ProbeServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]  # nothing else is called
    health = HealthServicer()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "announce", "address": f"127.0.0.1:{port}"}), flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await server.stop(None)


async def serve_kit() -> None:
    """Serve until SIGTERM."""
    async with Kit(Config.from_environment()) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, Echo())  # type: ignore[abstract]  # nothing else is called
        await kit.join()
        await kit.wait()


if __name__ == "__main__":
    if "-bare" in sys.argv:
        asyncio.run(serve_bare())
    else:
        run(serve_kit)
