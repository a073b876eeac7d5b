"""One time of following a Consul agent without a failure.

Everything is read once from index 0 and told as one mesh. Then each query blocks on its own index, and the mesh is told
again when an answer differs: one query over the names of services, one for each service, one for each kind of config
entry and one over the values below `gossamer/`. Chains and subsets are read again when one of these says so.
"""

import asyncio
from collections.abc import Mapping

from gossamer_mesh.consul import questions
from gossamer_mesh.consul.asking import Replaced, follow, limit, pause
from gossamer_mesh.consul.chains import Chains
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.subsets import Subsets
from gossamer_mesh.consul.values import Values
from gossamer_mesh.consul.written import KINDS, Entry
from gossamer_mesh.discovery import Listener
from gossamer_mesh.model import Entries, Mesh, Service

NAMES_WAIT = 2
"""Seconds that the query over names blocks: it is also how a silent agent is noticed, and what keeps the age low."""

READS = 8
"""How many chains and subsets are read at once."""

LOSSES_OF_STEP = 3
"""How often a service is read anew because its subsets changed meanwhile, before they are told as they are."""


class Epoch:
    """What is followed, and what was read of it."""

    def __init__(self, client: Client, listener: Listener, after: "Epoch | None" = None) -> None:
        """Begin after an epoch that has ended."""
        self.indexes: tuple[int, int] = after.indexes if after else (0, 0)
        """Those of the names and of the entries as they were told last, here or in the epoch before: with a lower one,
        Consul has lost its data."""
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
        free = asyncio.Semaphore(READS)
        self._subsets = Subsets(client, free)
        self._chains = Chains(client, self._subsets, free, after.chains if after else {})
        self._stale = asyncio.Event()
        """Set when chains may have to be read again."""
        self._values: Values | None = None
        self._entries: Entries | None = None
        """What was told last."""

    @property
    def chains(self) -> Mapping[str, Entry]:
        """The chains as they were compiled last."""
        return self._chains.compiled

    async def run(self) -> None:
        """Follow until something fails. Raises a group of `SourceError` or `Replaced`."""
        async with asyncio.TaskGroup() as tasks:
            for kind in KINDS:
                tasks.create_task(self._follow_kind(kind))
            tasks.create_task(self._follow_values())
            tasks.create_task(self._follow_chains())
            await self._follow_names(tasks)

    async def _follow_names(self, tasks: asyncio.TaskGroup) -> None:
        async for answer in follow(self._client, questions.names(self._client), wait=NAMES_WAIT):
            if self.complete:
                self._listener.heard()
            if answer.index < answer.behind:
                raise Replaced
            self._index = answer.index
            if answer.changed:
                self._set_names(answer.value, tasks)

    def _set_names(self, names: frozenset[str], tasks: asyncio.TaskGroup) -> None:
        for name in self._tasks.keys() - names:
            self._tasks.pop(name).cancel()
            self._services.pop(name, None)
            self._subsets.forget(name)
        for name in names - self._tasks.keys():
            self._tasks[name] = tasks.create_task(self._follow_service(name))
        self._stale.set()
        self._tell()

    async def _follow_service(self, name: str) -> None:
        told, missteps = -1, 0
        async for answer in follow(self._client, questions.service(self._client, name)):
            if answer.index == told and not answer.changed:
                continue
            selections = await self._subsets.read(name)
            newest = max((found.index for found in selections.values()), default=0)
            if answer.value and newest > answer.index and missteps < LOSSES_OF_STEP:
                missteps += 1  # the next answer comes at once
                continue
            told, missteps = answer.index, 0
            changed = name not in self._services or self._services[name] != answer.value
            self._services[name] = answer.value
            if self._subsets.take(selections) or changed:
                self._tell()

    async def _follow_kind(self, kind: str) -> None:
        async for answer in follow(self._client, questions.config_entries(self._client, kind)):
            if answer.index < answer.behind:
                raise Replaced
            self._chains.take(kind, answer)
            self._stale.set()

    async def _follow_values(self) -> None:
        async for answer in follow(self._client, questions.values(self._client)):
            if answer.changed:
                self._values = answer.value
                self._tell()

    async def _follow_chains(self) -> None:
        bucket = limit()
        while True:
            await self._stale.wait()
            self._stale.clear()
            await self._chains.read(self._tasks)
            if self._written() != self._entries:
                self._tell()
            await pause(bucket)

    def _written(self) -> Entries | None:
        """Show what people wrote; none until it was read once."""
        if self._values is None or not self._chains.complete:
            return None
        return Entries(
            chains=self._chains.compiled,
            broken_chains=self._chains.broken,
            selected=self._subsets.selected,
            broken_filters=self._subsets.broken,
            defaults=self._chains.defaults,
            extras=self._values.texts,
            broken_extras=self._values.broken,
        )

    def _tell(self) -> None:
        """Tell the mesh, if everything was read."""
        entries = self._written()
        if not self._index or self._services.keys() != self._tasks.keys() or entries is None:
            return
        indexes = self._index, self._chains.index
        restarted = any(now < before for now, before in zip(indexes, self.indexes, strict=True))
        self.complete, self.indexes, self._entries = True, indexes, entries
        self._listener.read(Mesh.of(filter(None, self._services.values()), entries), restarted=restarted)
