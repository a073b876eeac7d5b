"""What people wrote, held while the source may only have forgotten it, and who was in which subset lately. Pure."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from gossamer_mesh.model import Entries

Subset = tuple[str, str]
"""Service and filter."""

Key = tuple[str, str]
"""Service and instance id."""


class HeldEntries:
    """Compares what each reading has of it with what was believed before."""

    def __init__(self, window: float) -> None:
        """Remember the members of subsets for so many seconds."""
        self.since: float | None = None
        """Since when what is missing is held; none: it isn't."""
        self._window = window
        self._believed = Entries()
        self._selected: deque[tuple[float, Mapping[Subset, frozenset[str]]]] = deque()
        """From when on who was in the subsets; the first began before the window."""

    def believe(self, read: Entries, held: Collection[Key], now: float) -> Entries:
        """Add what is held, and to subsets the held instances that were in them."""
        before, self._believed = self._believed, read
        if self.since is not None:
            self._believed = read.remembering(before)
            if self._believed == read:
                self.since = None
        if held:
            self._believed = replace(self._believed, selected=_put_back(self._believed, before, held))
        self._note(now)
        return self._believed

    def members(self, service: str, now: float) -> Iterator[set[Key]]:
        """Give who was in each subset of a service within the window."""
        self._forget(now)
        for subset in {subset for _, selected in self._selected for subset in selected if subset[0] == service}:
            yield {(service, id_) for _, selected in self._selected for id_ in selected.get(subset, ())}

    def _note(self, now: float) -> None:
        if not self._selected or self._selected[-1][1] != self._believed.selected:
            self._selected.append((now, self._believed.selected))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while len(self._selected) > 1 and self._selected[1][0] <= now - self._window:
            self._selected.popleft()


def _put_back(read: Entries, before: Entries, held: Collection[Key]) -> Mapping[Subset, frozenset[str]]:
    return {
        subset: ids | {id_ for id_ in before.selected.get(subset, ()) if (subset[0], id_) in held}
        for subset, ids in read.selected.items()
    }
