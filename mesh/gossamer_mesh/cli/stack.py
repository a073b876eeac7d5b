"""The running stack of the checkout that a command was called in."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gossamer.local.v1 import stack_pb2 as pb
from gossamer.local.v1.stack_pb2_grpc import StackServiceStub
from gossamer_mesh.declare import find_root, load_settings
from gossamer_mesh.local import client
from gossamer_mesh.local.folder import StateFolder

ANSWERS_WITHIN_S = 30.0


def root() -> Path:
    """Find the checkout that the command was called in."""
    return find_root()


def folder() -> StateFolder:
    """Give the state folder of this checkout."""
    return StateFolder(load_settings(root()).state)


@contextlib.contextmanager
def supervisor() -> Iterator[StackServiceStub]:
    """Connect to the supervisor of this checkout.

    Raises:
        Problem: no stack runs here, or the supervisor refused the call.
    """
    with client.connect(folder()) as api:
        yield api


def current() -> pb.Stack:
    """Give the stack as it is now.

    Raises:
        Problem: no stack runs here.
    """
    with supervisor() as api:
        return api.GetStack(pb.GetStackRequest(), timeout=ANSWERS_WITHIN_S).stack


def address(part: str) -> str:
    """Give where a part of the running stack listens, as host:port (Consul: as a URL).

    Args:
        part: consul, control, otlp_grpc, otlp_http, jaeger, postgres or valkey.

    Raises:
        Problem: no stack runs here.
    """
    return str(current().addresses[part])
