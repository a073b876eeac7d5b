"""Who is told the same: callers that nobody wrote anything about, and zones that make no difference, are one each.

What is planned is therefore for as many audiences as people wrote about, whatever clients say of themselves.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from gossamer_mesh.model import Audience, Entries, Mesh
from gossamer_mesh.policy import defaults, extras
from gossamer_mesh.policy.refusals import Refusals


class _Said(NamedTuple):
    """What a value under `gossamer/` says of who is told what."""

    text: str
    callers: frozenset[str] = frozenset()
    """Those that it names."""
    zones: bool = False
    """Whether it has callers prefer their own zone."""


class Audiences:
    """Reads one mesh after the other. What a value said last stays while it is written wrong, as all policy does."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self._callers: frozenset[str] = frozenset()
        self._zones: frozenset[str] = frozenset()
        """Every zone that an instance was ever in: one that comes and goes is not worth a new audience each time."""

    def read(self, mesh: Mesh) -> None:
        """Take in what is written, and where instances are."""
        self._said = dict(self._heard(mesh.entries))
        limits = (name for name, written in mesh.entries.defaults.items() if written.get("UpstreamConfig"))
        self._callers = frozenset(limits).union(*(said.callers for said in self._said.values()))
        if any(said.zones for said in self._said.values()):
            services = mesh.services.values()
            self._zones |= {instance.zone for service in services for instance in service.instances}
        else:
            self._zones = frozenset()

    def of(self, asked: Audience) -> Audience:
        """Give the audience that is told what this one would be, and that is the same for as many as possible."""
        return Audience(
            zone=asked.zone if asked.zone in self._zones else "",
            caller=asked.caller if asked.caller in self._callers else "",
        )

    def _heard(self, entries: Entries) -> Iterator[tuple[str, _Said]]:
        for key in entries.extras.keys() | entries.broken_extras.keys():
            text, before = entries.extras.get(key, ""), self._said.get(key, _Said(""))
            yield key, before if text == before.text else _heard(entries, key, before._replace(text=text))


def _heard(entries: Entries, key: str, before: _Said) -> _Said:
    schema = "faults" if key.startswith(extras.FAULTS) else defaults.KEY
    document: Any = extras.read(entries, key, schema, Refusals(""))
    if document is None:
        return before
    if schema == "faults":
        return before._replace(callers=frozenset(each["from"] for each in document if "from" in each))
    return before._replace(zones=document.get("zones") == "prefer")
