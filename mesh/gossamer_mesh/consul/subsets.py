"""Which instances the filters of subsets select.

No filter is followed with a query of its own, because an agent counts connections: what it selects changes when the
service does, and that is followed anyway. Then it is asked again, and told together with the service: an instance that
has left must not seem to have left its subset alone.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from gossamer_mesh.consul import questions
from gossamer_mesh.consul.asking import ask
from gossamer_mesh.consul.client import Client, RefusedError
from gossamer_mesh.consul.entries import askable

LONGEST, DEEPEST = 512, 3
"""Characters of a filter, and how deep its parentheses may be nested: with each level Consul takes five times as long
for it, seconds from the seventh on, and it would do so whenever an instance changes."""

Subset = tuple[str, str]
"""A service, and a filter of its instances."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Who is in a subset."""

    index: int = 0
    """Consul's index of the service when this was asked."""
    ids: frozenset[str] = frozenset()
    refusal: str = ""
    """Why the filter selects nobody; empty if it works."""


class Subsets:
    """What was read of the filters that are in use."""

    def __init__(self, client: Client, free: asyncio.Semaphore) -> None:
        """Ask no more at once than `free` allows."""
        self.selected: Mapping[Subset, frozenset[str]] = {}
        self.broken: Mapping[Subset, str] = {}
        self._client = client
        self._free = free
        self._wanted: frozenset[Subset] = frozenset()
        self._selections: dict[Subset, Selection] = {}

    async def begin(self, subsets: frozenset[Subset]) -> None:
        """Use these too, from now on: read those that were not in use."""
        self._wanted |= subsets
        self.take(await self._read(subsets - self._selections.keys()))

    def keep(self, subsets: frozenset[Subset]) -> None:
        """Use no others any more."""
        self._wanted = subsets
        self._set({subset: found for subset, found in self._selections.items() if subset in subsets})

    async def read(self, service: str) -> Mapping[Subset, Selection]:
        """Read who is in each subset of a service now. Raises `SourceError`."""
        return await self._read([subset for subset in self._wanted if subset[0] == service])

    def take(self, selections: Mapping[Subset, Selection]) -> bool:
        """Take in what was read, unless something newer was; tell whether it is a change."""
        newer = {
            subset: found
            for subset, found in selections.items()
            if subset in self._wanted and found.index >= self._selections.get(subset, found).index
        }
        return self._set({**self._selections, **newer})

    def forget(self, service: str) -> None:
        """Note that a service has no instance any more."""
        gone = {
            subset: replace(found, ids=frozenset())
            for subset, found in self._selections.items()
            if subset[0] == service
        }
        self._set({**self._selections, **gone})

    def _set(self, selections: dict[Subset, Selection]) -> bool:
        before = self.selected, self.broken
        self._selections = selections
        selected = {subset: found.ids for subset, found in selections.items() if not found.refusal}
        broken = {subset: found.refusal for subset, found in selections.items() if found.refusal}
        if before == (selected, broken):
            return False  # and what was shown stays the very same, which is quick to compare
        self.selected, self.broken = selected, broken
        return True

    async def _read(self, subsets: Collection[Subset]) -> dict[Subset, Selection]:
        return dict(zip(subsets, await asyncio.gather(*map(self._select, subsets)), strict=True))

    async def _select(self, subset: Subset) -> Selection:
        service, filter_ = subset
        if refusal := costly(filter_):
            return Selection(refusal=refusal)
        try:
            async with self._free:
                index, ids = await ask(self._client, questions.selection(self._client, service, filter_))
        except RefusedError as error:
            return Selection(refusal=error.reason)
        return Selection(index=index, ids=ids)


def costly(filter_: str) -> str:
    """Say why Consul is not asked what a filter selects; empty if it is."""
    if len(filter_) > LONGEST:
        return f"expected at most {LONGEST} characters, found {len(filter_)}"
    deepest = max(accumulate((each == "(") - (each == ")") for each in filter_), default=0)
    if deepest > DEEPEST:
        return f"expected parentheses nested at most {DEEPEST} deep, found {deepest}: Consul takes too long for it"
    return ""


def subsets_in(chain: Mapping[str, Any]) -> Iterable[Subset]:
    """Find the subsets that a chain leads to. Only this datacenter is asked."""
    for target in (chain.get("Targets") or {}).values():
        here = target.get("Datacenter") == chain.get("Datacenter") and not target.get("Peer")
        filter_ = (target.get("Subset") or {}).get("Filter")
        if here and filter_ and askable(target["Service"]):
            yield target["Service"], filter_
