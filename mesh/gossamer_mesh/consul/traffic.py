"""Follows what people wrote about traffic: config entries by kind, the chains that Consul makes of them, subsets, KV.

A chain is read, and not followed, for each service that has a router, a splitter or a resolver: it changes only when an
entry of some service changes, which the queries over the kinds tell. All other chains say nothing but their name.

Who is in a subset is read again whenever its service changes, and told together with that: an instance that has left
must not seem to have left its subset alone.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from gossamer_mesh.consul.blocking import BlockingQuery
from gossamer_mesh.consul.client import Client, words
from gossamer_mesh.consul.queries import LONG_WAIT, Query, at, bucket, request
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.model import Entries

CHAINED = ("service-router", "service-splitter", "service-resolver")
"""The kinds of which Consul makes a service's chain."""

KINDS = (*CHAINED, "service-defaults", "proxy-defaults")

PREFIX = "gossamer/"

READS = 4
"""How many chains, or subsets, are read at once."""

NO_FILTER = "boolean expression"
"""What Consul says of a filter that is none."""

Subset = tuple[str, str]
"""A service, and the filter that chooses among its instances."""

T = TypeVar("T")
K = TypeVar("K")


class Selection(NamedTuple):
    """Who is in a subset."""

    modified: int
    """Consul's index of the service when this was read."""
    ids: frozenset[str] = frozenset()
    broken: str = ""
    """Why Consul does not take the filter; empty if it does."""


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
        self._subsets: frozenset[Subset] = frozenset()
        self._selections: dict[Subset, Selection] = {}
        self._stale = asyncio.Event()
        """Set when chains have to be read again."""

    @property
    def complete(self) -> bool:
        """Whether everything was read once."""
        return self._chains is not None and self._extras is not None and len(self._written) == len(KINDS)

    @property
    def entries(self) -> Entries:
        """All of it."""
        return Entries(
            chains=dict(self._chains or {}),
            selected={subset: found.ids for subset, found in self._selections.items() if not found.broken},
            broken_filters={subset: found.broken for subset, found in self._selections.items() if found.broken},
            defaults={entry["Name"]: entry for entry in self._written["service-defaults"]},
            extras=dict(self._extras or {}),
        )

    def follow(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to follow, in tasks of an epoch, which fail with `SourceError`."""
        for kind in KINDS:
            tasks.create_task(self._follow_kind(kind))
        tasks.create_task(self._follow_extras())
        tasks.create_task(self._keep_chains())

    async def select(self, service: str) -> Mapping[Subset, Selection]:
        """Read who is in each subset of a service now. Raises `SourceError`."""
        return await _read_all((subset for subset in self._subsets if subset[0] == service), self._read_subset)

    def take(self, selections: Mapping[Subset, Selection]) -> bool:
        """Take in what was read of subsets, unless something newer was; tell whether it is a change."""
        before = dict(self._selections)
        for subset, found in selections.items():
            if subset in self._subsets and found.modified >= before.get(subset, found).modified:
                self._selections[subset] = found
        return any(found[1:] != before.get(subset, Selection(0))[1:] for subset, found in self._selections.items())

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

    async def _keep_chains(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            if len(self._written) < len(KINDS):
                continue
            names = {entry["Name"] for kind in CHAINED for entry in self._written[kind]}
            chains = await _read_all(sorted(names), self._read_chain)
            self._subsets = frozenset(_subsets(chains.values()))
            self.take(await _read_all(self._subsets - self._selections.keys(), self._read_subset))
            for gone in self._selections.keys() - self._subsets:
                del self._selections[gone]
            self._chains = chains
            self._changed()

    async def _read_chain(self, name: str) -> Mapping[str, Any]:
        _, answer = await request(self._client, at(self._client, f"/v1/discovery-chain/{name}"))
        chain: Mapping[str, Any] = answer["Chain"]
        return chain

    async def _read_subset(self, subset: Subset) -> Selection:
        service, filter_ = subset
        try:
            index, found = await request(
                self._client, at(self._client, f"/v1/health/service/{service}", filter=filter_)
            )
        except SourceError as error:
            if NO_FILTER not in str(error):
                raise
            return Selection(0, broken=words(error.__cause__ or error))
        return Selection(index, frozenset(entry["Service"]["ID"] for entry in found or ()))


async def _read_all(keys: Iterable[K], read: Callable[[K], Awaitable[T]]) -> dict[K, T]:
    """Read a few at once."""
    free = asyncio.Semaphore(READS)

    async def once(key: K) -> T:
        async with free:
            return await read(key)

    known = list(keys)
    return dict(zip(known, await asyncio.gather(*map(once, known)), strict=True))


def _subsets(chains: Iterable[Mapping[str, Any]]) -> Iterator[Subset]:
    for chain in chains:
        for target in chain["Targets"].values():
            if filter_ := (target.get("Subset") or {}).get("Filter"):
                yield target["Service"], filter_
