"""Knowing when no client of the mesh calls a draining instance any more: the control plane knows, and is asked."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import grpc
from google.protobuf.duration_pb2 import Duration

from gossamer.mesh.v1.mesh_pb2 import AwaitDrainRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub

if TYPE_CHECKING:
    from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceAsyncStub

_log = logging.getLogger(__name__)

_AT_MOST = 5.0
_AFTERWARDS = 1.0


async def unassigned(control: str | None, service: str, instance: str) -> None:
    """Wait until every client has accepted an assignment without the instance; 5 s at most, then 1 s more.

    The second more is for calls that were given the old assignment: a client accepts before its last pick.
    """
    if control is not None:
        await _confirmed(control, service, instance)
    await asyncio.sleep(_AFTERWARDS)


async def _confirmed(control: str, service: str, instance: str) -> None:
    try:
        async with asyncio.timeout(_AT_MOST), grpc.aio.insecure_channel(control) as channel:
            await _ask(MeshServiceStub(channel), service, instance)
    except TimeoutError:
        _log.warning("the control plane at %s hasn't confirmed the drain; going on without", control)


async def _ask(mesh: MeshServiceAsyncStub, service: str, instance: str) -> None:
    """Ask until drained. The control plane may be away or restart meanwhile: then it is asked again."""
    longest = Duration(seconds=int(_AT_MOST))
    while True:
        try:
            request = AwaitDrainRequest(service=service, instance_id=instance, max_wait=longest)
            if (await mesh.AwaitDrain(request, wait_for_ready=True)).drained:
                return
        except grpc.aio.AioRpcError as error:
            _log.info("the control plane can't tell about the drain now: %s", error.details())
        await asyncio.sleep(0.1)
