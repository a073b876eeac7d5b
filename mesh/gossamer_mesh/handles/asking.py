"""Reads entries, has someone decide what they become, and writes it; again when somebody else wrote meanwhile."""

from collections.abc import Callable, Iterable, Mapping

from gossamer_mesh.consul.writing import Conflict, Found, Writer
from gossamer_mesh.handles.ownership import Change

TRIES = 5
"""How often at most."""


async def carry_out(
    writer: Writer, names: Iterable[str], decide: Callable[[Mapping[str, Found | None]], Iterable[Change]]
) -> list[str]:
    """Write what `decide` makes of what is there under these names, and give the names of what was written.

    Raises what it raises; `Refused` when Consul does not take it, `Conflict` when others write all the time, and
    `SourceError`.
    """
    wanted, tried = tuple(names), 0
    while True:
        tried += 1
        changes = list(decide({name: await writer.read(name) for name in wanted}))
        try:
            for change in changes:
                await _write(writer, change)
        except Conflict:
            if tried == TRIES:
                raise
        else:
            return [change.name for change in changes]


async def _write(writer: Writer, change: Change) -> None:
    if change.body is None:
        await writer.remove(change.name, index=change.index)
    else:
        await writer.write(change.name, change.body, index=change.index, flags=change.flags)
