"""What is believed of the mesh now: takes readings from a source, looks twice at mass removals, publishes snapshots.

Nothing is published before the source was read completely once. When the source is silent, the last snapshot stays and
its age grows. A service that was ever seen stays known.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gossamer_mesh.discovery.removed import Removed
from gossamer_mesh.discovery.second_look import Decision, Held, SecondLook
from gossamer_mesh.discovery.source import Source, SourceError
from gossamer_mesh.model import Instance, Mesh

log = logging.getLogger(__name__)

RETRY_LOOK = 1.0
"""Seconds until a second look that failed is tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What is believed of the mesh, at one moment."""

    version: int
    """One more for each change."""
    mesh: Mesh
    """With every service that was ever seen; those that are gone have no instances."""
    held: tuple[Held, ...] = ()
    change_time: datetime = field(default_factory=lambda: datetime.now(UTC))


class Discovery:
    """Follows one source. `publish` is called with each new snapshot, in the event loop's thread."""

    def __init__(self, source: Source, *, publish: Callable[[Snapshot], None], second_look: SecondLook) -> None:
        self._source = source
        self._publish = publish
        self._second_look = second_look
        self._snapshot: Snapshot | None = None
        self._complete_at: float | None = None
        self._removed = Removed()
        self._error = ""
        self._heard_at = time.monotonic()
        self._look_at: float | None = None
        self._hold_changed = asyncio.Event()

    @property
    def source(self) -> str:
        """What the mesh is read from, for people."""
        return self._source.name

    @property
    def snapshot(self) -> Snapshot | None:
        """What is believed now; none until everything was read once."""
        return self._snapshot

    @property
    def complete_for(self) -> float | None:
        """Seconds since everything was read once; none until then."""
        return None if self._complete_at is None else self._now - self._complete_at

    @property
    def age(self) -> float:
        """Seconds since the source last answered; before its first answer, since the start."""
        return self._now - self._heard_at

    @property
    def error(self) -> str:
        """Why the source can't be read now; empty while it can."""
        return self._error

    def find(self, service: str, instance_id: str) -> Instance | None:
        """Find an instance as it is, or as it was if it was removed lately."""
        present = self._snapshot.mesh.find(service, instance_id) if self._snapshot else None
        return present or self._removed.find(service, instance_id)

    async def run(self) -> None:
        """Follows the source until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._source.watch(self))
            tasks.create_task(self._look_twice())

    def heard(self) -> None:
        """Note that the source answered (`Listener`)."""
        self._heard_at = self._now
        if self._error:
            log.info("the source answers again", extra={"source": self.source})
            self._error = ""

    def read(self, mesh: Mesh, *, restarted: bool = False) -> None:
        """Take a reading in (`Listener`)."""
        self.heard()
        if restarted:
            log.warning("the source has lost its memory: what is missing is held", extra={"source": self.source})
        self._believe(self._second_look.decide(mesh, self._now, restarted=restarted))

    def failed(self, reason: str) -> None:
        """Note that the source can't be read (`Listener`)."""
        if not self._error:
            log.warning("the source is silent: the last snapshot stays", extra={"source": self.source, "error": reason})
        self._error = reason

    @property
    def _now(self) -> float:
        return time.monotonic()  # the loop's time, also for threads that export what is measured

    def _believe(self, decision: Decision) -> None:
        if decision.look_at != self._look_at:
            self._look_at = decision.look_at
            self._hold_changed.set()
        last = self._snapshot
        mesh = decision.mesh.remembering(last.mesh) if last else decision.mesh
        if last and mesh == last.mesh and decision.held == last.held:
            return
        if decision.held and (not last or decision.held != last.held):
            for held in decision.held:
                log.warning(
                    "a mass removal waits for a second look",
                    extra={"held_service": held.service, "before": held.before, "after": held.after},
                )
        if last:
            self._removed.note(last.mesh, mesh)
        else:
            self._complete_at = self._now
        self._snapshot = Snapshot(version=last.version + 1 if last else 1, mesh=mesh, held=decision.held)
        self._publish(self._snapshot)

    async def _look_twice(self) -> None:
        """Read the source again when something held is due."""
        while True:
            self._hold_changed.clear()
            if self._look_at is None:
                await self._hold_changed.wait()
                continue
            try:
                async with asyncio.timeout_at(self._look_at):
                    await self._hold_changed.wait()
            except TimeoutError:
                await self._look_again()

    async def _look_again(self) -> None:
        """Confirm what is held. The watch may tell more meanwhile, so what a look finds besides is never believed."""
        began = self._now
        try:
            found = await self._source.look()
        except SourceError as error:
            self.failed(str(error))
            self._look_at = self._now + RETRY_LOOK
            return
        self._believe(self._second_look.confirm(found, began, self._now))
