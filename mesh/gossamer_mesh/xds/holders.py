"""Which assignments clients were ever told an address in: where to look for those that may still call it. Bounded."""

from weakref import WeakSet

from gossamer_mesh.xds.resource import Resource

KEPT = 10_000
"""How many addresses are remembered."""


class Holders:
    """Takes note of what is sent."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}
        self._noted: WeakSet[Resource] = WeakSet()

    def note(self, assignment: Resource) -> None:
        """Note that an assignment is sent. The same one again costs nothing."""
        if assignment in self._noted:
            return
        self._noted.add(assignment)
        for address in assignment.addresses:
            self._names[address] = self._names.pop(address, frozenset()) | {assignment.name}
        while len(self._names) > KEPT:
            del self._names[next(iter(self._names))]

    def of(self, address: str) -> frozenset[str]:
        """Name the assignments."""
        return self._names.get(address, frozenset())
