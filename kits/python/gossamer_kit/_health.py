"""grpc.health.v1, NOT_SERVING until the instance has joined. grpcio-health-checking begins with SERVING for ""."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRACT = "grpc.health.v1.Health"


class Health(HealthServicer):  # type: ignore[misc]  # it comes without types
    """The health of an instance and of each of its contracts, which is the same."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._watches: set[asyncio.Task[None]] = set()
        self._ended = False

    async def begin(self, contracts: Iterable[str]) -> None:
        """Know the contracts; none of them serves yet."""
        self._names = ["", *contracts]
        await self._all(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def serving(self) -> None:
        """Say that the instance takes calls."""
        await self._all(health_pb2.HealthCheckResponse.SERVING)

    async def draining(self) -> None:
        """Say that the instance is about to go. For good."""
        await self.enter_graceful_shutdown()

    def end_watches(self) -> None:
        """End every Watch: they never end by themselves, and a server that stops would wait for them."""
        self._ended = True
        for watch in self._watches:
            watch.cancel()

    async def Watch(self, request: Any, context: Any) -> None:
        """Stream the health of one name until the caller or the server has enough."""
        watch = asyncio.ensure_future(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await asyncio.wait([watch])
        finally:
            self._watches.discard(watch)
            watch.cancel()
        if self._ended:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops")
        watch.result()

    async def _all(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            await self.set(name, status)
