"""Reaches a running supervisor over its socket, and turns what it refuses into a Problem."""

import contextlib
from collections.abc import Iterator

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gossamer.local.v1 import stack_pb2 as pb
from gossamer.local.v1.stack_pb2_grpc import StackServiceStub
from gossamer_mesh.errors import Problem
from gossamer_mesh.local.folder import StateFolder

ANSWERS_WITHIN_S = 5.0
ENDED = "no stack runs here"


@contextlib.contextmanager
def connect(folder: StateFolder) -> Iterator[StackServiceStub]:
    """Connect to the supervisor of a stack; what it refuses becomes a Problem.

    Raises:
        Problem: no stack runs here, or the supervisor refused the call.
    """
    socket = folder.socket()
    if socket is None:
        raise Problem(f"{ENDED} ({folder.path}); start it: gossamer up")
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWERS_WITHIN_S)
        except grpc.FutureTimeoutError:
            raise Problem(f"the supervisor of {folder.path} does not answer; end it: gossamer down") from None
        try:
            yield StackServiceStub(channel)
        except grpc.RpcError as error:
            raise translated(error) from error


def runs(folder: StateFolder) -> bool:
    """Tell whether a supervisor answers."""
    try:
        with connect(folder) as api:
            api.GetStack(pb.GetStackRequest(), timeout=ANSWERS_WITHIN_S)
    except Problem:
        return False
    return True


def translated(error: grpc.RpcError) -> Problem:
    """Turn what the supervisor answered into a Problem with the status that it asks for."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.metadata.get("status", "").isdigit():
            return Problem(status.message, int(info.metadata["status"]))
    return Problem(f"the supervisor did not answer ({error.code().name}: {error.details()}); see: gossamer ps")
