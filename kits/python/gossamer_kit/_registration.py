"""An instance's place in Consul: registered, kept registered, in maintenance, gone. It knows nothing of gRPC.

An agent that was restarted empty forgets its services, so the registration is looked at every second.
https://developer.hashicorp.com/consul/api-docs/agent/service
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from consul.aio import Consul

from consul import Check, ConsulException, Timeout  # type: ignore[attr-defined]  # mypy sees the folder consul/

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from gossamer_kit._config import Config

_log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
_ANSWER_WITHIN = 2.0
_FAILURES = (aiohttp.ClientError, ConsulException, Timeout, TimeoutError, OSError)


class Registration:
    """One instance in one Consul agent's catalog."""

    def __init__(self, config: Config, url: str, address: str, port: int, contracts: Sequence[str]) -> None:
        self._config = config
        self._url = url
        self._address = address
        self._port = port
        self._contracts = contracts
        self._registered = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._consul = _client(url, config.consul_token)

    async def join(self) -> None:
        """Register, however long Consul takes to answer, and stay registered until left or closed."""
        self._keeper = asyncio.create_task(self._keep())
        await self._registered.wait()

    async def drain(self) -> None:
        """Enter maintenance, so that the instance gets no calls at once and not with its next check."""
        await self._stop_keeping()
        await self._try("enter maintenance", self._service.maintenance(self._config.instance, True, "draining"))

    async def leave(self) -> None:
        """Deregister."""
        await self._stop_keeping()
        await self._try("deregister", self._service.deregister(self._config.instance))

    async def close(self) -> None:
        """End the connection to Consul. The registration stays as it is."""
        await self._stop_keeping()
        await self._consul.close()

    @property
    def _service(self) -> Any:
        return self._consul.agent.service

    async def _keep(self) -> None:
        known = True
        missing = self._register  # whatever an earlier process left under this id is replaced
        while True:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN):
                    await missing()
            except _FAILURES as error:
                if known:
                    _log.warning("Consul at %s doesn't answer, trying on: %r", self._url, error)
                known = False
            else:
                if not known:
                    _log.info("Consul at %s answers", self._url)
                known = True
                self._registered.set()
                missing = self._register_if_lost
            await asyncio.sleep(_LOOK_EVERY)

    async def _register_if_lost(self) -> None:
        if await self._consul.agent.service_definition(self._config.instance) is None:
            await self._register()

    async def _register(self) -> None:
        config = self._config
        at = f"[{self._address}]" if ":" in self._address else self._address
        check = Check.grpc(f"{at}:{self._port}", "1s", timeout="3s", deregister="1m")
        await self._service.register(
            config.service,
            service_id=config.instance,
            address=self._address,
            port=self._port,
            check={**check, "status": "passing"},  # it serves already; a check begins critical otherwise
            meta={
                "version": config.version,
                "zone": config.zone,
                "language": "python",
                "contracts": ",".join(self._contracts),
            },
            replace_existing_checks=True,
        )
        _log.info("registered in Consul as %s at %s:%d", config.instance, at, self._port)

    async def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None

    async def _try(self, what: str, answer: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await answer
        except _FAILURES as error:
            _log.warning("Consul at %s let the instance not %s: %r", self._url, what, error)


def _client(url: str, token: str | None) -> Any:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    with warnings.catch_warnings():
        # py-consul 1.8 tells aiohttp in a deprecated way whether to verify; without TLS there is nothing to verify
        warnings.simplefilter("ignore", DeprecationWarning)
        port = parts.port or (443 if secure else 8500)
        return Consul(host=parts.hostname, port=port, scheme=parts.scheme, token=token, verify=secure)
