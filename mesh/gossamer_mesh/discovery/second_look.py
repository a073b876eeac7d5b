"""The second look before a mass removal. Pure: readings and times in, a decision out; no clock, no sockets.

When many instances stop being callable at once, it is more likely that the source has lost sight of them than that
they died together: Consul restarted without data, an agent was cut off, a file was truncated. Such instances are
*held*: they stay as they were until they come back, or until a second, independent reading, made after a delay, lacks
them too. That reading only confirms what is missing: what is believed otherwise is always the latest that was told.

What counts as many, of one service or of the whole mesh, within `window` seconds:
- all of them, if they were at least two; or
- at least half of them, if that is at least `SMALL` instances.
All of a subset that calls may go to count as much as all of a service.

After the source lost its memory (`restarted`), whatever is missing counts, also of what people wrote about traffic:
the calls of a service whose splitter was forgotten must not go to the version that was to get none. What the source
still lacks when the second look is due is believed to be gone. At any other time entries are never held: who deletes
one means it.

What is never held:
- one crashed instance of two, or the only one: it is not a mass, and its callers must not wait;
- an instance in maintenance: that was asked for, by its own drain or by a person. An instance that stops in order is in
  maintenance before it is deregistered, so a planned stop of everything never waits either. One that was callable
  until it was deregistered looks just like one that was forgotten, and counts.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gossamer_mesh.discovery.held_entries import HeldEntries
from gossamer_mesh.discovery.peak import Peak
from gossamer_mesh.model import Health, Instance, Mesh, Service
from gossamer_mesh.model.difference import differ

SMALL = 3
"""Fewer lost instances than this are a mass only if none is left."""

Key = tuple[str, str]
"""Service and instance id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What is held of one service."""

    service: str
    before: int
    """How many callable instances it had."""
    after: int
    """How many the source still shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to believe."""

    mesh: Mesh
    """The reading, with what is held put back."""
    held: tuple[Held, ...] = ()
    look_at: float | None = None
    """When to look a second time; none: nothing is held."""


class _Hold(NamedTuple):
    instance: Instance
    """As it was."""
    since: float


@dataclass(kw_only=True)
class SecondLook:
    """Compares each reading with what was believed before."""

    delay: float = 8.0
    """Seconds until the second look; more than the 5 in which instances register again with an empty Consul."""
    window: float = 3.0
    """Seconds within which losses count as one: checks that run every second fail one after the other."""
    _reading: Mesh = field(default_factory=Mesh)
    """The latest."""
    _shown: dict[str, int] = field(default_factory=dict)
    """How many callable instances it shows, of each service."""
    _believed: dict[str, dict[str, Instance]] = field(default_factory=dict)
    """The callable instances, of each service by id."""
    _peaks: dict[str, Peak] = field(default_factory=dict)
    """How many they were lately, of each service; of the whole mesh, under no name."""
    _let_go: dict[Key, float] = field(default_factory=dict)
    """What was lost and believed to be gone, and when; only of the window."""
    _held: dict[Key, _Hold] = field(default_factory=dict)
    _entries: HeldEntries = field(init=False)

    def __post_init__(self) -> None:
        self._entries = HeldEntries(self.window)

    def decide(self, reading: Mesh, now: float, *, restarted: bool = False) -> Decision:
        """Decide what to believe after a reading, made at `now` (seconds of any steady clock).

        Only services that are not as in the reading before are looked at, so that one change in a large mesh is cheap.
        """
        names = differ(self._reading.services, reading.services) | self._held_of
        self._reading = reading
        read = _by_key(reading, names | {service for service, _ in self._let_go})
        for name in names:
            self._shown[name] = sum(1 for each in _instances(reading, name) if each.callable)
        self._recover(read, now)
        before = {(name, id_): each for name in names for id_, each in self._believed.get(name, {}).items()}
        lost = {key for key in before.keys() - self._held.keys() if _is_lost(read, key)}
        suspects = lost if restarted else self._suspects(lost, read, now)
        self._held.update({key: _Hold(before[key], now) for key in suspects})
        self._let_go.update(dict.fromkeys(lost - suspects, now))
        if restarted:
            self._entries.since = now
        return self._conclude(names, now)

    def confirm(self, look: Mesh, began: float, now: float) -> Decision:
        """Decide what to believe after a second look that began at `began`: what was due then and it lacks is gone.

        What it finds was not told yet, or comes and goes; that is held anew.
        """
        names = self._held_of
        found = _by_key(look, names)
        for key, hold in list(self._held.items()):
            if began < hold.since + self.delay:
                continue
            if _is_lost(found, key):
                del self._held[key]
            else:
                self._held[key] = _Hold(hold.instance, now)
        if self._entries.since is not None and began >= self._entries.since + self.delay:
            self._entries.since = None
        return self._conclude(names, now)

    @property
    def _held_of(self) -> frozenset[str]:
        return frozenset(service for service, _ in self._held)

    def _conclude(self, names: Iterable[str], now: float) -> Decision:
        """Believe the reading with what is held put back, which differs from what was believed in these services."""
        mesh = _put_back(self._reading, self._held)
        mesh = replace(mesh, entries=self._entries.believe(mesh.entries, self._held.keys(), now))
        for name in names:
            self._believed[name] = {each.id: each for each in _instances(mesh, name) if each.callable}
            self._note(name, len(self._believed[name]), now)
        self._note("", sum(map(len, self._believed.values())), now)
        return Decision(mesh=mesh, held=self._report(), look_at=self._look_at())

    def _note(self, name: str, count: int, now: float) -> None:
        self._peaks.setdefault(name, Peak(self.window)).note(now, count)

    def _recover(self, read: dict[Key, Instance], now: float) -> None:
        """End the hold of what came back or was sent away, and forget what is older than the window or made good."""
        begin = now - self.window
        self._held = {key: hold for key, hold in self._held.items() if _is_lost(read, key)}
        self._let_go = {key: when for key, when in self._let_go.items() if _is_lost(read, key) and when > begin}

    def _suspects(self, lost: set[Key], read: dict[Key, Instance], now: float) -> set[Key]:
        """Find which of the newly lost instances belong to a mass, of the mesh, of their service or of a subset."""
        if not lost:
            return lost
        all_gone = lost | self._let_go.keys() | self._held.keys()
        gone = _count(all_gone)
        if _is_mass(lost=gone.total(), before=self._peaks[""].most(now), after=sum(self._shown.values())):
            return lost
        of_services = {
            (service, id_)
            for service, id_ in lost
            if _is_mass(lost=gone[service], before=self._peaks[service].most(now), after=self._shown[service])
        }
        left = {key for key, instance in read.items() if instance.callable}
        subsets = (members for service in _count(lost) for members in self._entries.members(service, now))
        emptied = (members for members in subsets if len(members & all_gone) > 1 and members.isdisjoint(left))
        return of_services.union(*(members & lost for members in emptied))

    def _report(self) -> tuple[Held, ...]:
        held, left = _count(self._held), self._shown
        return tuple(
            Held(service=service, before=left[service] + held[service], after=left[service]) for service in sorted(held)
        )

    def _look_at(self) -> float | None:
        since = [hold.since for hold in self._held.values()]
        if self._entries.since is not None:
            since.append(self._entries.since)
        return min(since) + self.delay if since else None


def _is_mass(*, lost: int, before: int, after: int) -> bool:
    """Tell whether it is many: `before` is the most there were within the window."""
    nothing_left = after == 0 and lost > 1
    half_gone = min(lost, before - after) >= SMALL and 2 * after <= before
    return nothing_left or half_gone


def _instances(mesh: Mesh, service: str) -> tuple[Instance, ...]:
    return mesh.services[service].instances if service in mesh.services else ()


def _by_key(mesh: Mesh, services: Iterable[str]) -> dict[Key, Instance]:
    return {(service, each.id): each for service in services for each in _instances(mesh, service)}


def _count(keys: Iterable[Key]) -> Counter[str]:
    return Counter(service for service, _ in keys)


def _is_lost(read: dict[Key, Instance], key: Key) -> bool:
    """Tell whether an instance can't be called any more without having been sent into maintenance."""
    found = read.get(key)
    return found is None or found.health is Health.CRITICAL


def _put_back(reading: Mesh, held: dict[Key, _Hold]) -> Mesh:
    """Show the reading with what is held as it was."""
    services = dict(reading.services)
    for name in {service for service, _ in held}:
        read = _instances(reading, name)
        kept = [hold.instance for (service, _), hold in held.items() if service == name]
        ids = {instance.id for instance in kept}
        services[name] = Service.of(name, [*kept, *(instance for instance in read if instance.id not in ids)])
    return Mesh.of(services.values(), reading.entries) if held else reading
