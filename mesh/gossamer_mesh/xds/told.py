"""What one audience is told: its plans, and their resources for each kind of follower that somebody asked for.

A cluster may be in several plans. They agree on it but for a moment at most; then the plan of the service that it is
named after decides, or else the first by name, so that what is told never depends on the order of changes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from gossamer_mesh.model import Cluster, Plan
from gossamer_mesh.xds.dialects import CHANGED
from gossamer_mesh.xds.legality import IllegalResourceError
from gossamer_mesh.xds.resource import Resource, ResourceSet, Unknown
from gossamer_mesh.xds.spelling import Spelling
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import Dialect, Follower

FULL = Follower()
"""Told all there is: every dialect that needs nothing changed shares its resources."""


class Told:
    """One audience. What was told once stays: a name that the plans no longer have is never taken back."""

    def __init__(
        self, spelling: Spelling, next_version: Callable[[Type], str], unknown: Callable[[Dialect], Unknown]
    ) -> None:
        self._spelling = spelling
        self._next_version = next_version
        self._unknown = unknown
        self._plans: dict[str, Plan] = {}
        self._refused: dict[str, Plan] = {}
        """Those that came last where some client would refuse them: the plan before stays."""
        self._holders: dict[str, tuple[str, ...]] = {}
        """By cluster: the services whose plans have it, sorted."""
        self._sets = {FULL: self._empty(FULL)}

    def of(self, follower: Follower) -> ResourceSet:
        """Give the resources for a follower."""
        follower = follower if follower.dialect in CHANGED else follower._replace(dialect=FULL.dialect)
        if follower not in self._sets:
            every = self._spelled(follower, self._plans, self._holders)
            self._sets[follower] = self._after(self._empty(follower), every)
        return self._sets[follower]

    def update(self, plans: Iterable[Plan]) -> tuple[str, ...]:
        """Tell these plans from now on. Gives what is newly left out, because some client would refuse it."""
        illegal: list[str] = []
        services: list[str] = []
        names: set[str] = set()
        held: list[Resource] = []  # so that what all followers share is spelled once
        for plan in plans:
            if plan == self._refused.get(plan.service):
                continue
            before = self._plans.get(plan.service)
            if plan != before:
                try:
                    held.extend(self._spelling.plan(plan, FULL))
                except IllegalResourceError as error:
                    self._refused[plan.service] = plan
                    illegal.append(str(error))
                    continue
                names |= self._take(plan, before)
                services.append(plan.service)
            self._refused.pop(plan.service, None)
        for follower, told in self._sets.items():
            self._sets[follower] = self._after(told, self._spelled(follower, services, sorted(names)))
        return tuple(illegal)

    def _take(self, plan: Plan, before: Plan | None) -> set[str]:
        """Take a plan in, and give the clusters that it may change."""
        self._plans[plan.service] = plan
        had = {cluster.name for cluster in before.clusters} if before else set()
        has = {cluster.name for cluster in plan.clusters}
        for name in had - has:
            self._hold(name, {*self._holders[name]} - {plan.service})
        for name in has - had:
            self._hold(name, {*self._holders.get(name, ()), plan.service})
        return had | has

    def _hold(self, name: str, services: set[str]) -> None:
        if services:
            self._holders[name] = tuple(sorted(services))
        else:
            del self._holders[name]

    def _spelled(self, follower: Follower, services: Iterable[str], names: Iterable[str]) -> Iterator[Resource]:
        for name in names:
            if cluster := self._cluster(name):
                yield from self._spelling.cluster(cluster, follower.dialect)
        for service in services:
            yield from self._spelling.routing(self._plans[service], follower)

    def _cluster(self, name: str) -> Cluster | None:
        """Find the cluster as it is told; none if no plan has it any more."""
        holders = self._holders.get(name)
        if not holders:
            return None
        service = name if name in holders else holders[0]
        return next(cluster for cluster in self._plans[service].clusters if cluster.name == name)

    def _after(self, before: ResourceSet, spelled: Iterable[Resource]) -> ResourceSet:
        """Put resources in place of those of their names; what did not change is kept as it is."""
        changed: dict[Type, dict[str, Resource]] = {}
        for resource in spelled:
            if not resource.same(before.resources[resource.type].get(resource.name)):
                changed.setdefault(resource.type, {})[resource.name] = resource
        if not changed:
            return before
        resources: Mapping[Type, Mapping[str, Resource]] = {
            type_: {**known, **changed[type_]} if type_ in changed else known
            for type_, known in before.resources.items()
        }
        versions = {**before.versions, **{type_: self._next_version(type_) for type_ in changed}}
        return ResourceSet(versions=versions, resources=resources, unknown=before.unknown)

    def _empty(self, follower: Follower) -> ResourceSet:
        versions = {type_: self._next_version(type_) for type_ in Type}
        return ResourceSet(
            versions=versions, resources={type_: {} for type_ in Type}, unknown=self._unknown(follower.dialect)
        )
