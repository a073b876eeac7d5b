"""What the file of a mesh may say about traffic, beside its services. Pure.

chains:                       # by service: the value of `Chain` in Consul's GET /v1/discovery-chain/:service
  catalog: {ServiceName: catalog, Protocol: grpc, StartNode: ..., Nodes: {...}, Targets: {...}}
selected:                     # which instances the filters in the chains select
  - {service: catalog, filter: Service.Meta.version == v2, ids: [catalog-2]}
defaults:                     # by service: its service-defaults
  catalog: {Protocol: grpc}
extras:                       # by key below gossamer/: the value, as it is or as JSON text
  some/key: {any: value}
"""

import json
from collections.abc import Mapping
from typing import Any

from gossamer_mesh.discovery.source import SourceError
from gossamer_mesh.model import Entries

WRITTEN = frozenset({"chains", "selected", "defaults", "extras"})
"""The keys of a file that this reads."""

SELECTED = frozenset({"service", "filter", "ids"})


def parse_entries(values: Mapping[str, Any], texts: Mapping[str, Any], where: str) -> Entries:
    """Read what a document says about traffic, given with its values and as texts. Raises `SourceError` with the place.

    Entries need numbers; an id is the same text here as in the services.
    """
    extras = _mapping(values.get("extras", {}), f"{where}: extras")
    return Entries(
        chains=_mappings(values.get("chains", {}), f"{where}: chains"),
        selected=_selected(texts.get("selected", []), f"{where}: selected"),
        defaults=_mappings(values.get("defaults", {}), f"{where}: defaults"),
        extras={key: value if isinstance(value, str) else json.dumps(value) for key, value in extras.items()},
    )


def _mappings(value: Any, where: str) -> dict[str, Mapping[str, Any]]:
    return {name: _mapping(inner, f"{where}.{name}") for name, inner in _mapping(value, where).items()}


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise SourceError(f"expected a mapping at {where}, found {type(value).__name__}")
    return {str(key): inner for key, inner in value.items()}


def _selected(value: Any, where: str) -> dict[tuple[str, str], frozenset[str]]:
    if not isinstance(value, list):
        raise SourceError(f"expected a list at {where}, found {type(value).__name__}")
    selected: dict[tuple[str, str], frozenset[str]] = {}
    for index, entry in enumerate(value):
        at = f"{where}[{index}]"
        if not isinstance(entry, Mapping) or set(entry) != SELECTED or not isinstance(entry["ids"], list):
            raise SourceError(f"expected service, filter and a list ids at {at}, found {entry!r}")
        key = str(entry["service"]), str(entry["filter"])
        if key in selected:
            raise SourceError(f"expected each filter of a service once at {where}, found {key[1]!r} again at {at}")
        selected[key] = frozenset(map(str, entry["ids"]))
    return selected
