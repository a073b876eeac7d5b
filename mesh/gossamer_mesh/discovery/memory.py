"""A mesh that is held in memory: for tests, and for programs that know their instances themselves."""

import asyncio
from collections.abc import Iterable

from gossamer_mesh.discovery.source import Listener, SourceError
from gossamer_mesh.model import Entries, Instance, Mesh, Service


class MemorySource:
    """A source that is told what the mesh is."""

    def __init__(self) -> None:
        self._services: dict[str, Service] | None = None
        self._entries = Entries()
        self._listeners: set[Listener] = set()
        self._error = ""

    @property
    def name(self) -> str:
        """What it is, for people."""
        return "memory"

    def put(self, service: str, instances: Iterable[Instance]) -> None:
        """Set the instances of one service, and make the mesh complete if it was not."""
        self._services = {**(self._services or {}), service: Service.of(service, instances)}
        self._tell()

    def remove(self, service: str) -> None:
        """Take one service out."""
        self._services = {name: kept for name, kept in (self._services or {}).items() if name != service}
        self._tell()

    def write(self, entries: Entries) -> None:
        """Set what people have written about traffic, in place of what they had, and make the mesh complete."""
        self._services, self._entries = self._services or {}, entries
        self._tell()

    def restart(self, services: Iterable[Service] = ()) -> None:
        """Forget everything, as a Consul agent without data does, and begin again with these services."""
        self._services, self._entries = {service.name: service for service in services}, Entries()
        self._tell(restarted=True)

    def fail(self, reason: str) -> None:
        """Refuse to be read from now on, until the mesh is set again."""
        self._error = reason
        for listener in self._listeners:
            listener.failed(reason)

    async def watch(self, listener: Listener) -> None:
        """Tell what is there, and each change (`Source`)."""
        self._listeners.add(listener)
        try:
            if self._error:
                listener.failed(self._error)
            elif self._services is not None:
                listener.read(self._mesh)
            await asyncio.Event().wait()
        finally:
            self._listeners.discard(listener)

    async def look(self) -> Mesh:
        """Give what is there (`Source`)."""
        if self._error:
            raise SourceError(self._error)
        return self._mesh

    @property
    def _mesh(self) -> Mesh:
        return Mesh.of((self._services or {}).values(), self._entries)

    def _tell(self, *, restarted: bool = False) -> None:
        self._error = ""
        for listener in self._listeners:
            listener.read(self._mesh, restarted=restarted)
