"""Names that no plan has are answered with what a service without instances is told, so that nobody waits for them.

When the service appears, the same names change in place (xds.md 7.3, items 2 and 8).
"""

from collections.abc import Iterable
from weakref import WeakValueDictionary

from gossamer_mesh.model import Cluster, Plan
from gossamer_mesh.xds.legality import IllegalResourceError
from gossamer_mesh.xds.resource import Resource
from gossamer_mesh.xds.spelling import Spelling
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import Dialect, Follower


class Stubs:
    """Those of one dialect, each as long as some client holds it."""

    def __init__(self, spelling: Spelling, dialect: Dialect) -> None:
        self._spelling = spelling
        self._dialect = dialect
        self._held: WeakValueDictionary[tuple[Type, str], Resource] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, type_: Type, name: str) -> Resource | None:
        """Find the stub of a name; none for a name that no resource can have, or a type that the dialect lacks."""
        stub = self._held.get((type_, name))
        if stub is None:
            stub = next((resource for resource in self._spelled(type_, name) if resource.type is type_), None)
            if stub is not None:
                self._held[type_, name] = stub
        return stub

    def _spelled(self, type_: Type, name: str) -> Iterable[Resource]:
        try:
            if type_ in {Type.CLUSTER, Type.CLUSTER_LOAD_ASSIGNMENT}:
                return list(self._spelling.cluster(Cluster(name=name), self._dialect))
            return list(self._spelling.routing(Plan(service=name), Follower(self._dialect)))
        except IllegalResourceError:
            return ()
