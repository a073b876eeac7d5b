"""What a gRPC server says of itself: whether it serves, and which contracts, if it can be asked."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from gossamer_mesh.local.ready import OPTIONS, PAUSE_S
from gossamer_mesh.reflection import VERSIONS

ASKS_WITHIN_S = 2.0
NOT_THERE = frozenset({grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND})
"""What health is answered with by a server that has none, and by one that says nothing of itself as a whole."""


async def until_it_serves(address: str) -> bool:
    """Return as soon as a server says SERVING, or answers at all if it has no health; tell whether it has.

    Waits for ever otherwise.
    """
    while True:
        async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
            try:
                stub = health_pb2_grpc.HealthStub(channel)
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=ASKS_WITHIN_S)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return True
            except grpc.aio.AioRpcError as error:
                if error.code() in NOT_THERE:
                    return False
        await asyncio.sleep(PAUSE_S)


async def contracts(address: str) -> tuple[str, ...]:
    """List what a server says by reflection that it serves, gRPC's own services left out; none without reflection."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        for version in VERSIONS:
            try:
                return await _listed(channel, version)
            except grpc.aio.AioRpcError:
                continue
    return ()


async def _listed(channel: grpc.aio.Channel, version: str) -> tuple[str, ...]:
    """Ask one version of reflection; the messages of v1 and v1alpha are the same on the wire."""
    ask = channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in ask(iter([request]), timeout=ASKS_WITHIN_S):
        names = (service.name for service in answer.list_services_response.service)
        return tuple(sorted(name for name in names if not name.startswith("grpc.")))
    return ()
