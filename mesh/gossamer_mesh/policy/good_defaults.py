"""The defaults for all services: bad ones are left out by themselves, and the last good ones stay.

Every plan is made of them. Were they refused with each plan, one bad value would hold up every other change.
"""

from dataclasses import replace

from gossamer_mesh.model import Entries
from gossamer_mesh.policy import extras
from gossamer_mesh.policy.defaults import KEY
from gossamer_mesh.policy.refusals import Refusal, Refusals


class GoodDefaults:
    """Reads one version of what is written after the other."""

    def __init__(self) -> None:
        self.refusals: frozenset[Refusal] = frozenset()
        """Why those that are written now are left out."""
        self._seen: tuple[str | None, str | None] = (None, None)
        """Their text, and why it is none, as they were read last."""
        self._good: str | None = None

    def read(self, entries: Entries) -> Entries:
        """Put the last good ones in the place of bad ones."""
        written = entries.extras.get(KEY), entries.broken_extras.get(KEY)
        if written != self._seen:
            refusals = Refusals("")
            extras.read(entries, KEY, KEY, refusals)
            self._seen, self.refusals = written, frozenset(refusals.found)
            if not refusals.found:
                self._good = written[0]
        return self._without_bad(entries) if self.refusals else entries

    def _without_bad(self, entries: Entries) -> Entries:
        texts = {key: text for key, text in entries.extras.items() if key != KEY}
        broken = {key: reason for key, reason in entries.broken_extras.items() if key != KEY}
        good = {} if self._good is None else {KEY: self._good}
        return replace(entries, extras={**texts, **good}, broken_extras=broken)
