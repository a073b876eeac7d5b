"""Follows a Consul agent with blocking queries: one over the names of services, one for each service, some on traffic.

Consul is read in *epochs*. An epoch begins with everything read once from index 0 and told as one mesh; then each query
blocks on its own index and tells the mesh again when its answer differs. Whatever fails ends the epoch: the failure is
told, and after a delay the next epoch reads everything again, because an agent that was away may have lost it all.
"""

import asyncio
import random
import sys
from functools import partial
from typing import Any

from gossamer_mesh.consul.blocking import Backoff, BlockingQuery, TokenBucket
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.entries import service_of
from gossamer_mesh.consul.queries import LONG_WAIT, Replaced, bucket, request
from gossamer_mesh.consul.traffic import Traffic
from gossamer_mesh.discovery import Listener, SourceError
from gossamer_mesh.model import Mesh, Service

OWN = "consul"
"""Consul's own service: no part of the mesh."""

NAMES_WAIT = 2
"""Seconds that the query over names blocks: it is also how a silent agent is noticed, and what keeps the age low."""

LOSSES_OF_STEP = 3
"""How often a service is read anew because its subsets changed meanwhile, before they are told as they are."""

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
        index = 0
        async with Client(self._url) as client:
            while True:
                epoch = _Epoch(client, listener, after=index)
                try:
                    await epoch.run()
                except* SourceError as errors:
                    listener.failed(str(errors.exceptions[0]))
                except* Replaced:
                    epoch.index = sys.maxsize
                if epoch.complete:
                    backoff.worked()
                index = epoch.index
                await asyncio.sleep(backoff.failed(random.random()))  # noqa: S311 - spreads load, guards nothing

    async def look(self) -> Mesh:
        """Read everything once, over a few connections of its own (`Source`)."""
        free = asyncio.Semaphore(LOOKS)

        async def read(name: str) -> Service | None:
            async with free:
                return (await _read(client, name))[1]

        async with Client(self._url) as client:
            _, names = await request(client, client.catalog.services)
            found = await asyncio.gather(*(read(name) for name in names if name != OWN))
        return Mesh.of(filter(None, found))


class _Epoch:
    """One time of following Consul without a failure."""

    def __init__(self, client: Client, listener: Listener, *, after: int) -> None:
        self.index = after
        """The index of the names as they were told last, here or in the epoch before: with a lower one, Consul has
        lost its data."""
        self.complete = False
        """Whether everything was read once."""
        self._client = client
        self._listener = listener
        self._index = 0
        """The index of the names as they were read last."""
        self._services: dict[str, Service | None] = {}
        """What was read of each name; none for what is no part of the mesh."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """One for each name."""
        self._traffic = Traffic(client, changed=self._tell)

    async def run(self) -> None:
        """Follow until something fails. Raises a group of `SourceError` or `Replaced`."""
        async with asyncio.TaskGroup() as tasks:
            self._traffic.follow(tasks)
            await self._follow_names(tasks)

    async def _follow_names(self, tasks: asyncio.TaskGroup) -> None:
        query = BlockingQuery[frozenset[str]]()
        limit = bucket()
        while True:
            index, found = await request(self._client, self._client.catalog.services, query, NAMES_WAIT, limit)
            if self.complete:
                self._listener.heard()
            self._watch_index(index)
            if query.answered(index, frozenset(found) - {OWN}):
                self._set_names(query.last or frozenset(), tasks)

    def _watch_index(self, index: int) -> None:
        if self.complete and index < self.index:
            raise Replaced
        self._index = index

    def _set_names(self, names: frozenset[str], tasks: asyncio.TaskGroup) -> None:
        for name in self._tasks.keys() - names:
            self._tasks.pop(name).cancel()
            self._services.pop(name, None)
        for name in names - self._tasks.keys():
            self._tasks[name] = tasks.create_task(self._follow_service(name))
        self._tell()

    async def _follow_service(self, name: str) -> None:
        query = BlockingQuery[Service | None]()
        limit = bucket()
        told, missteps = -1, 0
        while True:
            index, service = await _read(self._client, name, query, limit)
            if not query.answered(index, service) and index == told:
                continue
            selections = await self._traffic.select(name)
            newest = max((found.modified for found in selections.values()), default=0)
            if service and newest > index and missteps < LOSSES_OF_STEP:
                missteps += 1  # the next answer comes at once
                continue
            told, missteps = index, 0
            changed = name not in self._services or self._services[name] != service
            self._services[name] = service
            if self._traffic.take(selections) or changed:
                self._tell()

    def _tell(self) -> None:
        """Tell the mesh, if every name was read, and what people wrote."""
        if not self._index or self._services.keys() != self._tasks.keys() or not self._traffic.complete:
            return
        restarted = self._index < self.index
        self.complete, self.index = True, self._index
        mesh = Mesh.of(filter(None, self._services.values()), self._traffic.entries)
        self._listener.read(mesh, restarted=restarted)


async def _read(
    client: Client, name: str, query: BlockingQuery[Any] | None = None, limit: TokenBucket | None = None
) -> tuple[int, Service | None]:
    index, entries = await request(client, partial(client.health.service, name), query, LONG_WAIT, limit)
    try:
        return index, service_of(name, entries or ())
    except (KeyError, TypeError) as error:
        raise SourceError(
            f"expected entries of service {name!r} as Consul 1.22 gives them at {client.url}, found others: {error!r}"
        ) from error
