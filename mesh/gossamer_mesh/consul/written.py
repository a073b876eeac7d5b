"""What people have written about traffic, as the lists of config entries show it. Pure.

Consul compiles the config entries of a name, and of the names that these lead to, into its *discovery chain*. Which
chains are worth asking for, and what each may be compiled from, is decided here.
https://developer.hashicorp.com/consul/docs/connect/manage-traffic/discovery-chain

Consul tells names apart whatever their case: an entry of `Catalog` is one of `catalog`. Such names are *folded* here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gossamer_mesh.consul.entries import askable

ROUTING = ("service-router", "service-splitter", "service-resolver")
"""The kinds that lead calls elsewhere."""

DEFAULTS = "service-defaults"
PROXY = "proxy-defaults"
KINDS = (*ROUTING, DEFAULTS, PROXY)

EVERYBODY = ""
"""Stands for what is written for all names, in what a chain is compiled from."""

COUNTED = frozenset({"CreateIndex", "ModifyIndex", "Hash"})
"""What Consul adds to an entry. It says when something was written, not what."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """A config entry, and what is made of it once."""

    name: str
    index: int
    """When it was written."""
    body: Entry
    """Without what Consul adds."""
    leads_to: frozenset[str]
    """The services that it names, folded."""


class Written:
    """All config entries that bear on traffic, as they were listed last."""

    def __init__(self) -> None:
        self.defaults: Mapping[str, Entry] = MappingProxyType({})
        """The `service-defaults`, by service."""
        self._kinds: dict[str, dict[str, _Listed]] = {}
        """By kind and folded name."""

    @property
    def complete(self) -> bool:
        """Whether every kind was listed."""
        return self._kinds.keys() == set(KINDS)

    def take(self, kind: str, found: Iterable[Entry]) -> frozenset[str]:
        """Take in all entries of a kind, and give the names, folded, of which one was written or deleted since."""
        before = self._kinds.get(kind, {})
        after = {_fold(entry["Name"]): entry for entry in found}
        listed = {name: _list(kind, entry, before.get(name)) for name, entry in after.items()}
        self._kinds[kind] = listed
        if kind == DEFAULTS:
            self.defaults = MappingProxyType({each.name: each.body for each in listed.values()})
        changed = frozenset(name for name in before.keys() | listed.keys() if before.get(name) is not listed.get(name))
        return changed if kind != PROXY or not changed else frozenset({EVERYBODY})

    def routed(self, services: Iterable[str]) -> frozenset[str]:
        """Give the names whose calls are led somewhere: those of entries, and of services that mean the same."""
        routed = {name: each for kind in ROUTING for name, each in self._kinds.get(kind, {}).items()}
        written = {each.name for each in routed.values()}
        return frozenset(filter(askable, written | {name for name in services if _fold(name) in routed}))

    def reach(self, name: str) -> frozenset[str]:
        """Give every name, folded, whose entries the chain of a name is compiled from, there are any or not."""
        reach, ahead = {EVERYBODY}, {_fold(name)}
        while ahead:
            at = ahead.pop()
            reach.add(at)
            ahead |= {each for listed in self._routing(at) for each in listed.leads_to} - reach
        return frozenset(reach)

    def sources(self, reach: frozenset[str]) -> list[str]:
        """Name the entries that a chain of this reach is compiled from: `service-router/catalog`."""
        return [
            f"{kind}/{each.name}"
            for kind in KINDS
            for name, each in sorted(self._kinds.get(kind, {}).items())
            if name in reach or kind == PROXY
        ]

    def _routing(self, name: str) -> Iterator[_Listed]:
        for kind in ROUTING:
            if listed := self._kinds.get(kind, {}).get(name):
                yield listed


def _list(kind: str, entry: Entry, before: _Listed | None) -> _Listed:
    if before and before.index == entry["ModifyIndex"]:
        return before
    return _Listed(
        name=entry["Name"],
        index=entry["ModifyIndex"],
        body={key: value for key, value in entry.items() if key not in COUNTED},
        leads_to=frozenset(map(_fold, _services_in(entry))) if kind in ROUTING else frozenset(),
    )


def _fold(name: str) -> str:
    return name.lower()


def _services_in(value: Any) -> Iterator[str]:
    """Find every service that an entry names, however deep: all kinds call that `Service`."""
    if isinstance(value, Mapping):
        if isinstance(named := value.get("Service"), str) and named:
            yield named
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _services_in(each)
