"""A mesh that is written in a file, YAML or JSON, and read again when it changes.

    services:
      catalog:
        - {id: catalog-1, address: "127.0.0.1:20000", contracts: [shop.catalog.v1.CatalogService]}
        - {id: catalog-2, address: "127.0.0.1:20001", health: critical, version: v2, zone: b, language: go, weight: 3}

What is written about traffic can stand beside `services` (`file_entries`).
A file that can't be read or understood changes nothing: the last good one stays in use, and what is wrong is told.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gossamer_mesh.discovery.document import load_text, load_values
from gossamer_mesh.discovery.file_entries import WRITTEN, parse_entries
from gossamer_mesh.discovery.source import Listener, SourceError
from gossamer_mesh.model import Entries, Health, Instance, Mesh, Service

KEYS = frozenset({"id", "address", "health", "version", "zone", "language", "contracts", "weight"})


class FileSource:
    """A source that is a file."""

    def __init__(self, path: Path, *, every: float = 0.2) -> None:
        """Look at the file's time and size `every` so many seconds."""
        self._path = path
        self._every = every

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"file {self._path}"

    async def watch(self, listener: Listener) -> None:
        """Read the file, and again when it changed (`Source`)."""
        seen: object = None
        failure = ""
        while True:
            stamp = self._stamp()
            try:
                if seen is None or stamp != seen:
                    mesh = await self.look()
                    listener.read(mesh)
                    seen, failure = stamp, ""
                elif not failure:
                    listener.heard()
            except SourceError as error:
                # what could not be read at all may be readable soon, and look no different
                seen = None if isinstance(error.__cause__, OSError) else stamp
                if str(error) != failure:
                    failure = str(error)
                    listener.failed(failure)
            await asyncio.sleep(self._every)

    async def look(self) -> Mesh:
        """Read the file now (`Source`)."""
        try:
            text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"expected a file of services at {self._path}, but it can't be read: {error}") from error
        return parse(text, str(self._path))

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def parse(text: str, where: str) -> Mesh:
    """Turn YAML, of which JSON is a part, into a mesh. Raises `SourceError` that names the place."""
    document = load_text(text, where)
    services = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(services, Mapping):
        raise SourceError(f"expected a mapping `services` in {where}, found {type(services).__name__}")
    if unknown := sorted(map(str, document.keys() - {"services"} - WRITTEN)):
        raise SourceError(f"expected services and only {', '.join(sorted(WRITTEN))} in {where}, found {unknown}")
    entries = parse_entries(load_values(text, where), document, where) if WRITTEN & document.keys() else Entries()
    return Mesh.of(
        (_service(str(name), instances, f"{where}: services.{name}") for name, instances in services.items()), entries
    )


def _service(name: str, entries: Any, where: str) -> Service:
    if not isinstance(entries, list):
        raise SourceError(f"expected a list of instances at {where}, found {type(entries).__name__}")
    instances = [_instance(entry, f"{where}[{index}]") for index, entry in enumerate(entries)]
    ids = [instance.id for instance in instances]
    if len(ids) != len(set(ids)):
        raise SourceError(f"expected each id once at {where}, found {ids}")
    return Service.of(name, instances)


def _instance(entry: Any, where: str) -> Instance:
    if not isinstance(entry, Mapping) or not {"id", "address"} <= set(entry) <= KEYS:
        found = sorted(map(str, entry)) if isinstance(entry, Mapping) else type(entry).__name__
        raise SourceError(f"expected id, address and only {', '.join(sorted(KEYS))} at {where}, found {found}")
    host, port = _address(str(entry["address"]), where)
    try:
        health = Health(entry.get("health", "passing"))
    except ValueError as error:
        raise SourceError(f"expected one of {[h.value for h in Health]} at {where}.health, found {error}") from error
    contracts = entry.get("contracts", [])
    if not isinstance(contracts, list):
        raise SourceError(f"expected a list at {where}.contracts, found {type(contracts).__name__}")
    return Instance(
        id=str(entry["id"]),
        host=host,
        port=port,
        health=health,
        version=str(entry.get("version", "")),
        zone=str(entry.get("zone", "")),
        language=str(entry.get("language", "")),
        contracts=tuple(sorted(map(str, contracts))),
        weight=_weight(entry.get("weight", 1), where),
    )


def _weight(value: Any, where: str) -> int:
    try:
        if (weight := int(str(value))) > 0:
            return weight
    except ValueError:
        pass
    raise SourceError(f"expected a whole number, 1 or more, at {where}.weight, found {value!r}")


def _address(text: str, where: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
    except ValueError as error:
        raise SourceError(f"expected an IP address and a port at {where}.address, found {text!r}") from error
    return host, number
