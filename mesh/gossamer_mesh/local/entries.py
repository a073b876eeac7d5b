"""Brings what consul/ declares into Consul, and leaves what others wrote there alone.

What was written is remembered, with the index that Consul gave it: an entry with another index was written by somebody
else since. One that says the same as the file is taken for ours, whoever wrote it.

| in Consul                | the file        | what is done   |
|--------------------------|-----------------|----------------|
| nothing                  | any             | written        |
| as we wrote it           | as it was then  | nothing        |
| as we wrote it           | changed         | written        |
| as we wrote it           | is gone         | removed        |
| written by somebody else | says the same   | nothing        |
| written by somebody else | says other      | left, and said |
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer_mesh.consul.writing import Conflict, Refused, Writer
from gossamer_mesh.declare.entry import KINDS, Entry
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.errors import Problem

ORDER = {kind: place for place, kind in enumerate(reversed(KINDS))}
"""Consul takes a router only when the subsets that it names are there, so resolvers come before it."""


NOTED = frozenset({"CreateIndex", "ModifyIndex", "Hash"})
ZEROS: tuple[Any, ...] = (None, "", "0s", 0, False, [], {})


@dataclass(frozen=True)
class Written:
    """What we wrote of an entry: the index that it got, and what it says."""

    index: int
    body: Any


@dataclass
class Outcome:
    """What became of the entries, a line for each that is not as its file says."""

    left: list[str] = field(default_factory=list)
    """Somebody else wrote it."""
    refused: list[str] = field(default_factory=list)
    """Consul does not take it."""


async def bring(wanted: Sequence[Entry], url: str, record: Path) -> Outcome:
    """Bring Consul up to date.

    Args:
        wanted: what is declared.
        url: of the agent.
        record: the file in which what was written is remembered.

    Raises:
        Problem: Consul can't be reached.
    """
    outcome, ours = Outcome(), _read(record)
    try:
        async with Writer(url) as writer:
            for entry in sorted(wanted, key=_place):
                await _bring(entry, writer, ours, outcome)
            for name in sorted(ours.keys() - {entry.name for entry in wanted}, reverse=True):
                await _remove(name, writer, ours, outcome)
    except SourceError as error:
        raise Problem(f"the entries of consul/ can't be written: {error}") from error
    finally:
        record.write_text(
            json.dumps({name: [each.index, each.body] for name, each in ours.items()}, indent=2), encoding="utf-8"
        )
    return outcome


async def _bring(entry: Entry, writer: Writer, ours: dict[str, Written], outcome: Outcome) -> None:
    found, written = await writer.read(entry.name), ours.get(entry.name)
    is_ours = found and written and found.index == written.index
    if found and (written.body == entry.body if is_ours and written else same(found.body, entry.body)):
        ours[entry.name] = Written(found.index, entry.body)
        return
    if found and not is_ours:
        ours.pop(entry.name, None)
        outcome.left.append(
            f"{entry.name} was written by somebody else, and stays so; to have that of {entry.file}: "
            f"curl -X DELETE {writer.address(entry.name)}, then gossamer up"
        )
        return
    try:
        index = await writer.write(entry.name, entry.body, index=found.index if found else 0)
    except Conflict:
        outcome.left.append(f"{entry.name} was written by somebody else just now: gossamer up looks again")
    except Refused as error:
        outcome.refused.append(f"{entry.file}: {error}")
    else:
        ours[entry.name] = Written(index, entry.body)


async def _remove(name: str, writer: Writer, ours: dict[str, Written], outcome: Outcome) -> None:
    found = await writer.read(name)
    if found and found.index == ours[name].index:
        try:
            await writer.remove(name, index=found.index)
        except Refused as error:
            outcome.refused.append(f"{name} has no file any more, but can't be removed: {error}")
            return
        except Conflict:  # somebody else's by now
            pass
    del ours[name]


def same(found: Any, wanted: Any) -> bool:
    """Tell whether two entries say the same, one of them as Consul gives it: with what it notes, and its zeros."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        keys = (found.keys() | wanted.keys()) - NOTED
        return all(same(found.get(key), wanted.get(key)) for key in keys)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return bool(found == wanted) or (found in ZEROS and wanted in ZEROS)


def _place(entry: Entry) -> tuple[int, str]:
    return ORDER.get(entry.name.partition("/")[0], len(ORDER)), entry.name


def _read(record: Path) -> dict[str, Written]:
    """Read what was written before; nothing when that is not known."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return {name: Written(int(index), body) for name, (index, body) in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
