"""A gRPC server and client in Python without the kit, for the row "foreign" of the kit contract.

main.py serve            serves gossamer.probe.v1.ProbeService's Relay, and prints its address
main.py call ADDRESS     calls Echo, and prints the instance that answered
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server


class Server(ProbeServiceServicer):
    """Answers at once."""

    def Relay(self, _request: pb.RelayRequest, _context: Any) -> pb.RelayResponse:
        return pb.RelayResponse(hops=[pb.Hop(instance="foreign", language="python")])


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    add_ProbeServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    server.start()
    server.wait_for_termination()


def call(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        answer = ProbeServiceStub(channel).Echo(pb.EchoRequest(), timeout=10)
    sys.stdout.write(f"{answer.hop.instance}\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["call", address]:
            call(address)
        case _:
            sys.exit(f"usage: {sys.argv[0]} serve | call ADDRESS")
