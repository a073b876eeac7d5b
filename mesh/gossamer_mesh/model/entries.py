"""What people have written about traffic, as the source gave it: read, compared, and not understood here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries:
    """Everything written about the traffic of the mesh. JSON values are as Consul gives them; nobody changes them."""

    chains: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMPTY)
    """By service: the compiled discovery chain, the value of `Chain` in `GET /v1/discovery-chain/:service`."""
    broken_chains: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """By service: why the source can't compile its chain. In `chains` is then what it compiled last, if it ever did."""
    selected: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=lambda: EMPTY)
    """By service and filter: the ids of the instances that the filter of a subset selects, healthy or not."""
    broken_filters: Mapping[tuple[str, str], str] = field(default_factory=lambda: EMPTY)
    """By service and filter: why the source does not take the filter."""
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMPTY)
    """By service: its `service-defaults`, of which `UpstreamConfig` speaks of the services that it calls."""
    extras: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """By key below `gossamer/`, without that prefix: the text of the value, which is to be JSON."""
    broken_extras: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """By key as above: why the value can't be taken for a text."""

    def remembering(self, earlier: "Entries") -> "Entries":
        """Add what an earlier reading had and this one lacks, key by key."""
        return Entries(
            **{each.name: {**getattr(earlier, each.name), **getattr(self, each.name)} for each in fields(self)}
        )
