"""A server on grpcio alone, as its examples are written: it knows nothing of a mesh, and SIGTERM ends it at once.

python main.py PORT NAME          serves ProbeService's Echo; NAME is who answers
python main.py PORT NAME known    also says its health, and by reflection what it serves
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gossamer.probe.v1 import probe_pb2, probe_pb2_grpc

HELD = 0.1
"""Seconds that a call takes, so that some always run."""


class Probe(probe_pb2_grpc.ProbeServiceServicer):
    """Says who it is."""

    def Echo(self, request: Any, context: Any) -> probe_pb2.EchoResponse:
        del context
        time.sleep(HELD)
        return probe_pb2.EchoResponse(payload=request.payload, hop=probe_pb2.Hop(instance=sys.argv[2]))


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    probe_pb2_grpc.add_ProbeServiceServicer_to_server(Probe(), server)
    if len(sys.argv) > 3:
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        reflection.enable_server_reflection(["gossamer.probe.v1.ProbeService"], server)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


main()
