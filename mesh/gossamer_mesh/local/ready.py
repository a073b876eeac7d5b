"""Waits until a process answers: gRPC health for what speaks gRPC, a leader for Consul."""

import asyncio
import urllib.parse
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gossamer_mesh.errors import Problem

PAUSE_S = 0.05
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


async def serving(address: str) -> None:
    """Return as soon as a gRPC server says that it is SERVING as a whole. Waits for ever otherwise."""
    request = health_pb2.HealthCheckRequest(service="")
    while True:
        async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
            try:
                async for response in health_pb2_grpc.HealthStub(channel).Watch(request, wait_for_ready=True):
                    if response.status == health_pb2.HealthCheckResponse.SERVING:
                        return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(PAUSE_S)


async def has_leader(url: str) -> None:
    """Return as soon as a Consul server has a leader. Waits for ever otherwise."""
    while not await asyncio.to_thread(_leader, url):
        await asyncio.sleep(PAUSE_S)


async def has_entry(url: str, name: str) -> None:
    """Return as soon as a Consul server has a config entry, such as `proxy-defaults/global`. Waits for ever."""
    while not await asyncio.to_thread(_answers, f"{url}/v1/config/{name}"):
        await asyncio.sleep(PAUSE_S)


async def registered(url: str, instance: str) -> None:
    """Return as soon as a Consul server knows an instance, which says SERVING before. Waits for ever otherwise."""
    while not await asyncio.to_thread(_answers, f"{url}/v1/agent/service/{urllib.parse.quote(instance, safe='')}"):
        await asyncio.sleep(PAUSE_S)


def require_leader(url: str) -> None:
    """Refuse to go on when a Consul that someone else runs does not answer, or has no leader.

    Raises:
        Problem: it is so.
    """
    if not _leader(url):
        raise Problem(
            f"CONSUL_HTTP_ADDR names {url}, where no Consul with a leader answers; "
            "start it, or unset CONSUL_HTTP_ADDR to have one started here"
        )


def _leader(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/status/leader", timeout=2) as response:  # noqa: S310 - our own Consul
            return len(response.read().strip()) > len('""')
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own Consul
            return True
    except OSError:
        return False
