"""A mesh that is written in a file, YAML or JSON, and read again when it changes.

    services:
      catalog:
        - {id: catalog-1, address: "127.0.0.1:20000", contracts: [shop.catalog.v1.CatalogService]}
        - {id: catalog-2, address: "127.0.0.1:20001", health: critical, version: v2, zone: b, language: go}

A file that can't be read or understood changes nothing: the last good one stays in use, and what is wrong is told.
"""

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gossamer_mesh.discovery.source import Listener, SourceError
from gossamer_mesh.model import Health, Instance, Mesh, Service

KEYS = frozenset({"id", "address", "health", "version", "zone", "language", "contracts"})


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
    document = _document(text, where)
    services = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(services, Mapping):
        raise SourceError(f"expected a mapping `services` in {where}, found {type(services).__name__}")
    return Mesh.of(_service(str(name), entries, f"{where}: services.{name}") for name, entries in services.items())


def _document(text: str, where: str) -> Any:
    import yaml  # noqa: PLC0415 - a control plane that reads Consul does without its memory

    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)  # a hundred times as fast, where it is JSON
    try:
        # makes nothing but text, lists and mappings: 1.10 stays a version, and no date can be wrong
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - so it is safer than the safe one
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError(f"expected YAML or JSON in {where}: {error}") from error


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
    )


def _address(text: str, where: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
    except ValueError as error:
        raise SourceError(f"expected an IP address and a port at {where}.address, found {text!r}") from error
    return host, number
