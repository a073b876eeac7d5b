"""One resource, and all that there are at one moment for one view. Values: they never change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gossamer_mesh.xds.types import Type


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, weakref_slot=True)
class Resource:
    """One resource, ready to be sent."""

    type: Type
    name: str
    wire: bytes
    """The resource as a field of a DiscoveryResponse: a response is its head and the wires of its resources, joined."""
    addresses: frozenset[str] = frozenset()
    """Which instances an assignment holds, as `host:port`."""
    clusters: frozenset[str] = frozenset()
    """Which clusters the routes lead to."""
    announced: frozenset[str] = frozenset()
    """Which clusters they only name."""

    def same(self, other: "Resource | None") -> bool:
        """Tell whether a client that holds one needs the other."""
        return self is other or (other is not None and self.wire == other.wire)


class Unknown(Protocol):
    """Answers for names that no plan has."""

    def get(self, type_: Type, name: str) -> Resource | None:
        """Find what a client is told that asks for the name; none for a name that no resource can have."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ResourceSet:
    """All resources at one moment, for one view."""

    versions: Mapping[Type, str]
    """The version of each type: another one whenever a resource of it changed."""
    resources: Mapping[Type, Mapping[str, Resource]]
    unknown: Unknown

    def get(self, type_: Type, name: str) -> Resource | None:
        """Find a resource; for a name that is not known, one that refuses; none for a name that none can have."""
        return self.resources[type_].get(name) or self.unknown.get(type_, name)

    def names(self, type_: Type) -> Iterable[str]:
        """List the names that are known."""
        return self.resources[type_].keys()
