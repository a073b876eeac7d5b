"""Whose an entry is: what is written here says so, and what does not say so is somebody else's. Pure.

Config entries say it in `Meta`, values in their flags, a number that Consul keeps for whoever writes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gossamer_mesh.consul.writing import Found
from gossamer_mesh.handles.errors import EntryOfOthers

MARK = "written-by"
"""The key in `Meta`."""

SPLIT = "gossamer split"
"""Its value, in what a split wrote."""

FLAGS = int.from_bytes(b"goss", "big")
"""The flags of a value that was written here."""

NOTED = ("CreateIndex", "ModifyIndex", "Hash")
"""What Consul notes in an entry, and nobody writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One entry that is to be written, or removed."""

    name: str
    body: Any = None
    """None: it is removed."""
    index: int = 0
    """What it was read with; 0: it was not there."""
    flags: int = 0
    """Of a value."""


def is_ours(found: Found) -> bool:
    """Tell whether it was written here."""
    if found.flags == FLAGS:
        return True
    return isinstance(found.body, Mapping) and (found.body.get("Meta") or {}).get(MARK) == SPLIT


def require_ours(entries: Iterable[tuple[str, Found | None]], *, force: bool) -> None:
    """Refuse to go on when any of them is somebody else's, unless that was asked for. Raises `EntryOfOthers`."""
    foreign = [name for name, found in entries if found and not is_ours(found)]
    if foreign and not force:
        raise EntryOfOthers(foreign)
