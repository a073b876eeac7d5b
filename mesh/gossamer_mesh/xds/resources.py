"""Plans of all audiences -> the resources of every view. Pure: equal plans give equal bytes, spelled once for all.

What differs between audiences is for `policy` to plan; what differs between client libraries is decided here.
"""

import itertools
from collections.abc import Collection, Iterable

from gossamer_mesh.model import Audience, Plan
from gossamer_mesh.xds.resource import ResourceSet
from gossamer_mesh.xds.spelling import Spelling
from gossamer_mesh.xds.stubs import Stubs
from gossamer_mesh.xds.told import Told
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import Dialect, View


class Resources:
    """Turns plans into sets of resources, one after the other, spelling again only what changed."""

    def __init__(self, boot: str) -> None:
        """Begin every version with `boot`, so that those of two control planes differ."""
        self._boot = boot
        self._numbers = {type_: itertools.count() for type_ in Type}
        self._spelling = Spelling()
        self._stubs = {dialect: Stubs(self._spelling, dialect) for dialect in Dialect}
        self._told: dict[Audience, Told] = {}

    @property
    def audiences(self) -> frozenset[Audience]:
        """Those that plans were given for."""
        return frozenset(self._told)

    def update(self, audience: Audience, plans: Iterable[Plan]) -> tuple[str, ...]:
        """Tell an audience these plans from now on; services that are not among them are told as before.

        Nothing is ever deleted: a name that the plans no longer have stays as it is. Gives what is newly left out
        because some client would refuse it; of such a service, all that was told before stays.
        """
        if audience not in self._told:
            self._told[audience] = self._nothing()
        return self._told[audience].update(plans)

    def keep(self, audiences: Collection[Audience]) -> None:
        """Forget all audiences but these."""
        for audience in self._told.keys() - audiences:
            del self._told[audience]

    def of(self, view: View) -> ResourceSet:
        """Give what clients of a view are told; until something changes, the same set again."""
        told = self._told.get(view.audience) or self._nothing()
        return told.of(view.follower)

    def _nothing(self) -> Told:
        return Told(self._spelling, self._next_version, self._stubs.__getitem__)

    def _next_version(self, type_: Type) -> str:
        return f"{self._boot}-{next(self._numbers[type_])}"
