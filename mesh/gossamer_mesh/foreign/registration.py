"""An instance's place in Consul, as the kits have it: registered, kept registered, in maintenance, gone.

An agent that was restarted empty forgets its services, so the registration is looked at every second.
https://developer.hashicorp.com/consul/api-docs/agent/service
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consul import Check  # type: ignore[attr-defined]  # mypy sees the folder consul/
from gossamer_mesh.consul.client import REQUEST_ERRORS, Client, source_error

LOOKS_EVERY_S = 1.0
ANSWERS_WITHIN_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What Consul is told of an instance.

    Attributes:
        health: the address of the gRPC health that Consul asks every second.
        meta: its labels, as the control plane reads them.
    """

    service: str
    instance: str
    host: str
    port: int
    health: str
    meta: Mapping[str, str]


class Registration:
    """One instance in one agent's catalog. What Consul does not take is told, and tried again."""

    def __init__(self, url: str, place: Place, say: Callable[[str], None]) -> None:
        self._client = Client(url)
        self._place = place
        self._say = say
        self._registered = asyncio.Event()
        self._joined = False
        self._keeper: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Register, however long Consul takes to answer, and stay registered until drained or closed."""
        self._joined = True
        self._keeper = asyncio.create_task(self._keep())
        await self._registered.wait()

    async def drain(self) -> None:
        """Enter maintenance, so that the instance gets no calls at once and not with its next check."""
        await self._stop_keeping()
        await self._try(self._service.maintenance(self._place.instance, True, "draining"))

    async def leave(self) -> None:
        """Deregister, if it may be registered, and end the connection to Consul."""
        await self._stop_keeping()
        if self._joined:
            await self._try(self._service.deregister(self._place.instance))
        await self._client.close()

    @property
    def _service(self) -> Any:
        return self._client.agent.service

    async def _keep(self) -> None:
        missing = self._register  # whatever an earlier process left under this id is replaced
        while True:
            if await self._try(missing(), tell=missing == self._register):
                self._registered.set()
                missing = self._register_if_lost
            await asyncio.sleep(LOOKS_EVERY_S)

    async def _register_if_lost(self) -> None:
        if await self._client.agent.service_definition(self._place.instance) is None:
            await self._register()

    async def _register(self) -> None:
        place = self._place
        check = Check.grpc(place.health, "1s", timeout="1s", deregister="1m")
        await self._service.register(
            place.service,
            service_id=place.instance,
            address=place.host,
            port=place.port,
            check={**check, "status": "passing"},  # it serves already; a check begins critical otherwise
            meta=dict(place.meta),
            replace_existing_checks=True,
        )
        self._say(f"registered in Consul at {place.host}:{place.port}")

    async def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None

    async def _try(self, request: Awaitable[object], *, tell: bool = True) -> bool:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await request
        except REQUEST_ERRORS as error:
            if tell:
                self._say(str(source_error(self._client.url, error)))
            return False
        return True
