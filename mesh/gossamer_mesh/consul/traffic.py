"""Follows what people wrote about traffic: config entries by kind, the chains that Consul makes of them, subsets, KV.

A chain is read, and not followed, for each service that has a router, a splitter or a resolver: it changes only when an
entry of some service changes, which the queries over the kinds tell. All other chains say nothing but their name.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from gossamer_mesh.consul.blocking import BlockingQuery
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.queries import LONG_WAIT, Query, at, bucket, request
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.model import Entries

CHAINED = ("service-router", "service-splitter", "service-resolver")
"""The kinds of which Consul makes a service's chain."""

KINDS = (*CHAINED, "service-defaults", "proxy-defaults")

PREFIX = "gossamer/"

READS = 4
"""How many chains are read at once."""

NO_FILTER = "boolean expression"
"""What Consul says of a filter that is none."""

Subset = tuple[str, str]
"""A service, and the filter that chooses among its instances."""


class Traffic:
    """What people wrote, in one epoch of following Consul."""

    def __init__(self, client: Client, *, changed: Callable[[], None]) -> None:
        """Call `changed` whenever there is something new to tell."""
        self._client = client
        self._changed = changed
        self._written: dict[str, tuple[Mapping[str, Any], ...]] = {}
        """By kind: all entries."""
        self._extras: dict[str, str] | None = None
        self._chains: dict[str, Mapping[str, Any]] | None = None
        self._selected: dict[Subset, frozenset[str]] = {}
        self._broken: dict[Subset, str] = {}
        self._subsets: dict[Subset, asyncio.Task[None]] = {}
        self._stale = asyncio.Event()
        """Set when chains have to be read again."""

    @property
    def complete(self) -> bool:
        """Whether everything was read once."""
        read = self._chains is not None and self._extras is not None and len(self._written) == len(KINDS)
        return read and self._subsets.keys() <= self._selected.keys() | self._broken.keys()

    @property
    def entries(self) -> Entries:
        """All of it."""
        return Entries(
            chains=dict(self._chains or {}),
            selected=dict(self._selected),
            broken_filters=dict(self._broken),
            defaults={entry["Name"]: entry for entry in self._written["service-defaults"]},
            extras=dict(self._extras or {}),
        )

    def follow(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to follow, in tasks of an epoch, which fail with `SourceError`."""
        for kind in KINDS:
            tasks.create_task(self._follow_kind(kind))
        tasks.create_task(self._follow_extras())
        tasks.create_task(self._keep_chains(tasks))

    async def _follow_kind(self, kind: str) -> None:
        async for found in self._answers(at(self._client, f"/v1/config/{kind}")):
            self._written[kind] = tuple(found or ())
            self._stale.set()

    async def _follow_extras(self) -> None:
        async for found in self._answers(at(self._client, f"/v1/kv/{PREFIX}", recurse="1")):
            self._extras = {
                pair["Key"].removeprefix(PREFIX): base64.b64decode(pair["Value"] or "").decode(errors="replace")
                for pair in found or ()
                if pair["Key"] != PREFIX
            }
            self._changed()

    async def _answers(self, query: Query) -> AsyncIterator[Any]:
        """Give each new answer of a blocking query."""
        blocking, limit = BlockingQuery[Any](), bucket()
        first = True
        while True:
            index, found = await request(self._client, query, blocking, LONG_WAIT, limit)
            if blocking.answered(index, found) or first:
                first = False
                yield found

    async def _keep_chains(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            if len(self._written) < len(KINDS):
                continue
            names = {entry["Name"] for kind in CHAINED for entry in self._written[kind]}
            chains = await self._read_chains(sorted(names))
            self._set_subsets(set(_subsets(chains.values())), tasks)
            self._chains = chains
            self._changed()

    async def _read_chains(self, names: list[str]) -> dict[str, Mapping[str, Any]]:
        free = asyncio.Semaphore(READS)

        async def read(name: str) -> Mapping[str, Any]:
            async with free:
                _, answer = await request(self._client, at(self._client, f"/v1/discovery-chain/{name}"))
            chain: Mapping[str, Any] = answer["Chain"]
            return chain

        return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))

    def _set_subsets(self, subsets: set[Subset], tasks: asyncio.TaskGroup) -> None:
        for gone in self._subsets.keys() - subsets:
            self._subsets.pop(gone).cancel()
            self._selected.pop(gone, None)
            self._broken.pop(gone, None)
        for subset in subsets - self._subsets.keys():
            self._subsets[subset] = tasks.create_task(self._follow_subset(subset))

    async def _follow_subset(self, subset: Subset) -> None:
        service, filter_ = subset
        try:
            async for found in self._answers(at(self._client, f"/v1/health/service/{service}", filter=filter_)):
                self._selected[subset] = frozenset(entry["Service"]["ID"] for entry in found or ())
                self._changed()
        except SourceError as error:
            if NO_FILTER not in str(error):
                raise
            self._broken[subset] = str(error)
            self._changed()


def _subsets(chains: Iterable[Mapping[str, Any]]) -> Iterator[Subset]:
    for chain in chains:
        for target in chain["Targets"].values():
            if filter_ := (target.get("Subset") or {}).get("Filter"):
                yield target["Service"], filter_
