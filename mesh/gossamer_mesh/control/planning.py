"""The plans of all audiences in use, made again only where what they depend on changed."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from gossamer_mesh.model import Audience, Mesh
from gossamer_mesh.model.difference import differ
from gossamer_mesh.policy import Audiences, Contracts, Planned, Refusal, Shape, extras, plan
from gossamer_mesh.policy.extras import WrittenFault
from gossamer_mesh.policy.good_defaults import GoodDefaults
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.stray import stray
from gossamer_mesh.policy.subjects import subjects

ANYONE = Audience()
"""One that nobody wrote anything about, from nowhere."""


class _Made(NamedTuple):
    planned: Planned
    services: frozenset[str]
    """The service itself and those that its calls may go to: what the plan depends on."""


class Planning:
    """Plans, and remembers."""

    def __init__(self) -> None:
        self._audiences = Audiences()
        self._defaults = GoodDefaults()
        self._made: dict[Audience, dict[str, _Made]] = {}
        self._stray: frozenset[Refusal] = frozenset()
        self._mesh = Mesh()
        self._contracts = Contracts()

    @property
    def mesh(self) -> Mesh | None:
        """What is planned for; none before anything was."""
        return self._mesh if self._made else None

    @property
    def refusals(self) -> frozenset[Refusal]:
        """What is left out of the plans of any audience, and what is wrong though nobody is there whom it is for."""
        left_out = {
            refusal for made in self._made.values() for each in made.values() for refusal in each.planned.refusals
        }
        told = {(refusal.subject, refusal.reason) for refusal in left_out}
        stray = {each for each in self._stray if (each.subject, each.reason) not in told}
        return frozenset(left_out | stray | self._defaults.refusals)

    def keep(self, audiences: Collection[Audience]) -> None:
        """Forget all audiences but these."""
        for audience in self._made.keys() - audiences:
            del self._made[audience]

    def read(self, mesh: Mesh) -> None:
        """Take a mesh in as far as it decides who is told the same. It is planned for by `plan`."""
        self._audiences.read(mesh)

    def audience(self, asked: Audience) -> Audience:
        """Give the audience that is planned for in place of this one, because both are told the same."""
        return self._audiences.of(asked)

    def plan(self, mesh: Mesh, contracts: Contracts) -> Iterator[tuple[Audience, list[Planned]]]:
        """Plan what changed, for each audience that was begun with."""
        mesh = replace(mesh, entries=self._defaults.read(mesh.entries))
        changed = _changed(self._mesh, mesh)
        everything = contracts != self._contracts or _shared(mesh) != _shared(self._mesh)
        if everything:
            self._stray = stray(mesh.entries)
        self._mesh, self._contracts = mesh, contracts
        for audience, made in self._made.items():
            stale = changed | {name for name, each in made.items() if not changed.isdisjoint(each.services)}
            names = self.names if everything else sorted(stale)
            yield audience, [self._make(audience, name) for name in names]

    def begin(self, audience: Audience) -> list[Planned]:
        """Plan everything for an audience that comes."""
        self._made[audience] = {}
        return [self._make(audience, name) for name in self.names]

    def find(self, audience: Audience, name: str) -> Planned:
        """Give what an audience is told of a service; of one that was not begun with, what it would be."""
        audience = self.audience(audience)
        if made := self._made.get(audience, {}).get(name):
            return made.planned
        return plan(name, self._mesh, self._contracts, audience, self._last_good(audience, name))

    def faults(self, service: str) -> tuple[WrittenFault, ...]:
        """Give all faults that are written for a service's calls; none if what is written is refused."""
        return extras.faults(self._mesh.entries, service, Refusals(service))

    @property
    def names(self) -> list[str]:
        """The services that have instances, or of whose calls somebody wrote; or for whom it was so."""
        known = {name for made in self._made.values() for name in made}
        return sorted(self._mesh.services.keys() | subjects(self._mesh.entries) | known)

    @property
    def subjects(self) -> list[str]:
        """The services of whose calls somebody wrote, in order."""
        return sorted(subjects(self._mesh.entries))

    def _make(self, audience: Audience, name: str) -> Planned:
        made = self._made[audience]
        planned = plan(name, self._mesh, self._contracts, audience, self._last_good(audience, name))
        aims = planned.shape.aims if planned.shape else ()
        made[name] = _Made(planned, frozenset({name, *(target.service for aim in aims for target in aim.targets)}))
        return planned

    def _last_good(self, audience: Audience, name: str) -> Shape | None:
        """Find what an audience goes on with if what is written is refused; one that comes, with what anyone has."""
        for each in (audience, ANYONE):
            if found := self._made.get(each, {}).get(name):
                return found.planned.shape
        return None


def _changed(before: Mesh, after: Mesh) -> frozenset[str]:
    """Name the services of which the instances, or what is written about them alone, changed."""
    was, now = before.entries, after.entries
    written = differ(was.chains, now.chains) | differ(was.broken_chains, now.broken_chains)
    return written | differ(before.services, after.services)


def _shared(mesh: Mesh) -> tuple[object, ...]:
    """Give what the plans of all services may depend on."""
    entries = mesh.entries
    return (entries.selected, entries.broken_filters, entries.defaults, entries.extras, entries.broken_extras)
