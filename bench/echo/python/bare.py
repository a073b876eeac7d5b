"""Echoes from grpc.aio alone.

It announces itself like the kit does, and has health, without which it could be in no mesh.
"""

import asyncio
import json

import grpc
from echoes import Echoes
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gossamer.probe.v1.probe_pb2_grpc import add_ProbeServiceServicer_to_server


async def serve() -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server()
    add_ProbeServiceServicer_to_server(Echoes(), server)  # type: ignore[abstract]  # nothing else is called
    health = HealthServicer()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "announce", "address": f"127.0.0.1:{port}"}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
