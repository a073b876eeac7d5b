"""Reaches TrafficService of a control plane, and turns what it refuses into a Problem."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import grpc
import typer

from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer_mesh.cli import stack
from gossamer_mesh.errors import Problem, UsageProblem

ANSWERS_WITHIN_S = 15.0

Control = Annotated[str, typer.Option(metavar="HOST:PORT", help="Another control plane than that of this checkout.")]
Force = Annotated[bool, typer.Option("--force", help="Also change what others wrote.")]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@contextlib.contextmanager
def connect(control: str) -> Iterator[TrafficServiceStub]:
    """Connect to a control plane; none named: that of the stack which runs here.

    Raises:
        Problem: there is none, or it refused the call.
    """
    address = control or stack.address("control")
    with grpc.insecure_channel(address) as channel:
        try:
            yield TrafficServiceStub(channel)
        except grpc.RpcError as error:
            raise _translated(address, error) from error


def _translated(address: str, error: grpc.RpcError) -> Problem:
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return UsageProblem(error.details() or error.code().name)
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return Problem(f"the control plane at {address} does not answer ({error.details()}); see: gossamer ps")
    return Problem(error.details() or f"the control plane at {address} answered {error.code().name}")
