"""The compiled discovery chains of the names that somebody wrote a router, a splitter or a resolver for.

No chain is followed with a query of its own, because an agent counts connections: a chain changes when a config entry
does, and the lists of these are followed anyway. Then those that the entry may have changed are asked for again, and no
others, however many there are.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gossamer_mesh.consul import questions
from gossamer_mesh.consul.asking import Answer, ask
from gossamer_mesh.consul.client import Client, RefusedError
from gossamer_mesh.consul.subsets import Subset, Subsets, subsets_in
from gossamer_mesh.consul.written import Entry, Written

NAMED = 5
"""How many entries are named that a chain can't be compiled from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chain:
    reach: frozenset[str]
    """The names whose entries it is compiled from."""
    index: int
    """Consul's index of config entries when it was first this."""
    compiled: Entry | None
    """What it is, or was when Consul could compile it; none: it never could."""
    refusal: str = ""
    subsets: frozenset[Subset] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class _News:
    """What an answer says about a list."""

    changed: frozenset[str]
    behind: int
    index: int

    def touches(self, chain: _Chain) -> bool:
        """Tell whether a chain may be another by now, or has what never was in any list.

        An entry that came and went between two answers is in neither; a chain that was compiled between them may be
        compiled from it.
        """
        later = chain.index < self.index or chain.refusal != ""
        return (later and not self.changed.isdisjoint(chain.reach)) or self.behind < chain.index < self.index


class Chains:
    """What was read of the chains."""

    def __init__(self, client: Client, subsets: Subsets, free: asyncio.Semaphore, known: Mapping[str, Entry]) -> None:
        """Ask no more at once than `free` allows. What is `known` stays where Consul can't compile it any more."""
        self.complete = False
        """Whether they were read once."""
        self.compiled: Mapping[str, Entry] = known
        """By name."""
        self.broken: Mapping[str, str] = {}
        """By name: why Consul can't compile it."""
        self.index = 0
        """The highest of the lists of config entries."""
        self._client = client
        self._subsets = subsets
        self._free = free
        self._written = Written()
        self._news: list[_News] = []
        """Of what came since chains were read last, or while they were."""
        self._chains: dict[str, _Chain] = {}

    @property
    def defaults(self) -> Mapping[str, Entry]:
        """The `service-defaults`, by service."""
        return self._written.defaults

    def take(self, kind: str, answer: Answer[tuple[Entry, ...]]) -> None:
        """Take in all config entries of a kind."""
        self.index = max(self.index, answer.index)
        changed = self._written.take(kind, answer.value)
        self._news.append(_News(changed=changed, behind=answer.behind, index=answer.index))

    async def read(self, services: Iterable[str]) -> None:
        """Read what may have changed, once all kinds were listed. Raises `SourceError`.

        Nothing of it shows before it is read with the instances that its filters select.
        """
        if not self._written.complete:
            return
        news, self._news = self._news, []
        names = self._written.routed(services)
        kept = {
            name: chain
            for name, chain in self._chains.items()
            if name in names and not any(each.touches(chain) for each in news)
        }
        stale = names - kept.keys()
        chains = {**kept, **dict(zip(stale, await asyncio.gather(*map(self._read, stale)), strict=True))}
        subsets = frozenset(subset for chain in chains.values() for subset in chain.subsets)
        await self._subsets.begin(subsets)
        self._subsets.keep(subsets)
        self._show(chains)

    def _show(self, chains: dict[str, _Chain]) -> None:
        compiled = {name: chain.compiled for name, chain in chains.items() if chain.compiled is not None}
        broken = {name: chain.refusal for name, chain in chains.items() if chain.refusal}
        if compiled != self.compiled:
            self.compiled = compiled
        if broken != self.broken:
            self.broken = broken
        self._chains, self.complete = chains, True

    async def _read(self, name: str) -> _Chain:
        reach, earlier = self._written.reach(name), self._chains.get(name)
        later = self.index + 1  # than all lists; a refusal comes without an index
        try:
            async with self._free:
                index, compiled = await ask(self._client, questions.chain(self._client, name))
            chain = _Chain(reach=reach, index=index, compiled=compiled)
        except RefusedError as error:
            refusal = self._refusal(error, reach)
            chain = _Chain(reach=reach, index=later, compiled=self.compiled.get(name), refusal=refusal)
        if earlier and (earlier.compiled, earlier.refusal) == (chain.compiled, chain.refusal):
            return replace(earlier, reach=reach)
        return replace(chain, subsets=frozenset(subsets_in(chain.compiled or {})))

    def _refusal(self, error: RefusedError, reach: frozenset[str]) -> str:
        sources = self._written.sources(reach)
        more = f" and {len(sources) - NAMED} more" if len(sources) > NAMED else ""
        return f"{error.reason}. It is made of {', '.join(sources[:NAMED])}{more}"
