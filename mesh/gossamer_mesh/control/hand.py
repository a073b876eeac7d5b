"""Writes what a person asks for to Consul, and waits until the mesh is read with it."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gossamer_mesh.consul.writing import Found, Writer
from gossamer_mesh.control.planning import Planning
from gossamer_mesh.handles import VersionNotCalled, carry_out, faults, splits
from gossamer_mesh.handles.ownership import Change
from gossamer_mesh.handles.splits import Share
from gossamer_mesh.model import Mesh, Service
from gossamer_mesh.policy import extras
from gossamer_mesh.xds import Signal

WITHIN = 5.0
"""Seconds to wait for what was written to come back from Consul."""


class Hand:
    """One hand on one Consul.

    Each method gives the names of what was written, and raises `HandleError` when that is not done, `Refused` when
    Consul does not take it, `Conflict` when others write all the time, and `SourceError` when Consul is away.
    """

    def __init__(self, consul: str, planning: Planning, changed: Signal) -> None:
        """Write to the agent at `consul`; look at what is planned again whenever `changed` is sent."""
        self._consul = consul
        self._planning = planning
        self._changed = changed

    async def split(self, service: str, shares: tuple[Share, ...], *, force: bool) -> list[str]:
        """Spread calls over versions."""

        def decide(found: Mapping[str, Found | None]) -> list[Change]:
            if not force:
                self._require_called(service, shares, found[splits.names(service)[0]])
            return splits.write(service, shares, found, force=force)

        return await self._split(service, decide)

    async def join(self, service: str, *, force: bool) -> list[str]:
        """Take a split back."""
        return await self._split(service, lambda found: splits.clear(service, found, force=force))

    async def fault(self, service: str, fault: faults.Fault, *, force: bool) -> list[str]:
        """Do something on purpose to some calls."""
        name = faults.name_of(service)
        return await self._fault(service, lambda found: faults.write(service, fault, found[name], force=force))

    async def mend(self, service: str, *, force: bool) -> list[str]:
        """Take all faults back."""
        name = faults.name_of(service)
        return await self._fault(service, lambda found: faults.clear(service, found[name], force=force))

    async def _split(self, service: str, decide: "Decide") -> list[str]:
        async with Writer(self._consul) as writer:
            written = await carry_out(writer, splits.names(service), decide)
            chain = await writer.chain(service)
        await self._until(lambda mesh: _shows(mesh, service, chain))
        return written

    async def _fault(self, service: str, decide: "Decide") -> list[str]:
        async with Writer(self._consul) as writer:
            written = await carry_out(writer, [faults.name_of(service)], decide)
            found = await writer.read(faults.name_of(service))
        key = faults.name_of(service).removeprefix(extras.PREFIX)
        text = json.dumps(found.body) if found else None
        await self._until(lambda mesh: mesh.entries.extras.get(key) == text)
        return written

    async def _until(self, holds: Callable[[Mesh], bool]) -> None:
        """Wait until what is planned for is a mesh of which something holds, not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                while not holds(self._planning.mesh or Mesh()):
                    await self._changed.wait()

    def _require_called(self, service: str, shares: tuple[Share, ...], resolver: Found | None) -> None:
        mesh = self._planning.mesh or Mesh()
        known = mesh.services.get(service) or Service(name=service)
        silent = splits.not_called(known, shares, resolver, mesh.entries.selected)
        if not silent:
            return
        percent = sum(share.weight for share in silent) / 100
        versions = sorted({each.version for each in known.instances if each.callable and each.version})
        raise VersionNotCalled(
            f"{percent:g} % of the calls of {service} would fail, because no instance that can be called is of "
            f"{' or '.join(share.version for share in silent)}; there are: {', '.join(versions) or 'none'}. "
            "Start one, or ask with force (--force)"
        )


Decide = Callable[[Mapping[str, Found | None]], Iterable[Change]]


def _shows(mesh: Mesh, service: str, chain: Mapping[str, Any]) -> bool:
    """Tell whether the mesh was read with this chain; with one that nobody wrote anything of, it has none."""
    read = mesh.entries.chains.get(service)
    return read == chain if read else bool(chain.get("Default"))
