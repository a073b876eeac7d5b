"""The seam: what a source of discovery does, and to whom it tells what it reads. Decides nothing."""

from typing import Protocol

from gossamer_mesh.model import Mesh


class SourceError(Exception):
    """A source can't be read now. The message says what was expected, what was found and what to do."""


class Listener(Protocol):
    """Whom a source tells what it reads. All calls come from the event loop's thread."""

    def heard(self) -> None:
        """Note that the source answered, and nothing has changed."""

    def read(self, mesh: Mesh, *, restarted: bool = False) -> None:
        """Take in the whole mesh, which may be the same as before.

        `restarted` says that the source has lost its memory since it was read last, so that what is missing now may
        only not be back yet.
        """

    def failed(self, reason: str) -> None:
        """Note that the source can't be read now. It goes on trying."""


class Source(Protocol):
    """Where the mesh is read from."""

    @property
    def name(self) -> str:
        """What it is, for people, for example `consul http://127.0.0.1:8500`."""

    async def watch(self, listener: Listener) -> None:
        """Tell the listener the whole mesh, and again after each change, until it is cancelled.

        The first thing told is complete. A source that goes away is told as failed, tried again with growing delays,
        and read completely again before anything else is told.
        """

    async def look(self) -> Mesh:
        """Read the services once, now, past any cache; of what is written nothing. Raises `SourceError`."""
