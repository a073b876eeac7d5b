"""Follows a Consul agent, epoch after epoch, and reads its services once when asked.

Whatever fails ends an epoch: the failure is told, and after a delay the next epoch reads everything again, because an
agent that was away may have lost it all. What somebody wrote and Consul can't follow is no failure: it is told as
broken, and everything else goes on.
"""

import asyncio
import random
import sys

from gossamer_mesh.consul import questions
from gossamer_mesh.consul.asking import Replaced, ask
from gossamer_mesh.consul.blocking import Backoff
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.epoch import Epoch
from gossamer_mesh.discovery import Listener, SourceError
from gossamer_mesh.model import Mesh, Service

LOOKS = 4
"""How many services a second look reads at once. The watch has a connection for each already, and agents count them."""


class ConsulSource:
    """A source that is a Consul agent."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"consul {self._url}"

    async def watch(self, listener: Listener) -> None:
        """Follow the agent, epoch after epoch (`Source`)."""
        backoff = Backoff()
        epoch: Epoch | None = None
        async with Client(self._url) as client:
            while True:
                epoch = Epoch(client, listener, after=epoch)
                try:
                    await epoch.run()
                except* SourceError as errors:
                    listener.failed(str(errors.exceptions[0]))
                except* Replaced:
                    epoch.indexes = (sys.maxsize, sys.maxsize)
                if epoch.complete:
                    backoff.worked()
                await asyncio.sleep(backoff.failed(random.random()))  # noqa: S311 - spreads load, guards nothing

    async def look(self) -> Mesh:
        """Read the services once, over a few connections of its own (`Source`)."""
        free = asyncio.Semaphore(LOOKS)

        async def read(name: str) -> Service | None:
            async with free:
                return (await ask(client, questions.service(client, name)))[1]

        async with Client(self._url) as client:
            _, names = await ask(client, questions.names(client))
            found = await asyncio.gather(*map(read, names))
        return Mesh.of(filter(None, found))
