"""What Consul is asked, and how what it answers is read.

https://developer.hashicorp.com/consul/api-docs
"""

from functools import partial

from gossamer_mesh.consul.asking import Question
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.entries import names_of, service_of
from gossamer_mesh.consul.values import PREFIX, Values, values_of
from gossamer_mesh.consul.written import Entry
from gossamer_mesh.model import Service


def names(client: Client) -> Question[frozenset[str]]:
    """Ask for the names of all services."""
    return Question(what="names of services", request=client.catalog.services, read=names_of)


def datacenter(client: Client) -> Question[str]:
    """Ask for the name of the datacenter."""
    return Question(what="nodes", request=client.catalog.nodes, read=lambda found: found[0]["Datacenter"])


def service(client: Client, name: str) -> Question[Service | None]:
    """Ask for the instances of a service; none if it is no part of the mesh."""
    return Question(
        what=f"instances of {name!r}",
        request=partial(client.health.service, name),
        read=lambda found: service_of(name, found or ()),
    )


def selection(client: Client, name: str, filter_: str) -> Question[frozenset[str]]:
    """Ask for the ids of the instances that a filter selects. When it is written, Consul looks at its grammar only."""
    return Question(
        what=f"instances of {name!r}",
        request=partial(client.health.service, name, filter_expr=filter_),
        read=lambda found: frozenset(entry["Service"]["ID"] for entry in found or ()),
        refusal="boolean expression evaluator",
    )


def config_entries(client: Client, kind: str) -> Question[tuple[Entry, ...]]:
    """Ask for the config entries of a kind."""
    return Question(what=f"entries of kind {kind}", request=partial(client.blocking, f"/v1/config/{kind}"), read=_tuple)


def chain(client: Client, name: str) -> Question[Entry]:
    """Ask for the compiled discovery chain of a service, which every name has."""
    return Question(
        what=f"discovery chain of {name!r}",
        request=partial(client.blocking, f"/v1/discovery-chain/{name}"),
        read=_chain,
        refusal="failed to compile discovery chain",
    )


def values(client: Client) -> Question[Values]:
    """Ask for the values below `gossamer/`."""
    return Question(what=f"values below {PREFIX}", request=partial(client.kv.get, PREFIX, recurse=True), read=values_of)


def _tuple(found: list[Entry] | None) -> tuple[Entry, ...]:
    return tuple(found or ())


def _chain(found: dict[str, Entry]) -> Entry:
    return found["Chain"]
