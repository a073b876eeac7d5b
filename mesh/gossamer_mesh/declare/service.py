"""What services/<name>/service.yaml says: one service, and all that the mesh needs to know of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer_mesh.declare.document import Document

NAME = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
NAME_SHAPE = "1 to 40 lower-case letters, digits and dashes, beginning with a letter"
STORES = ("postgres", "valkey")
RESERVED = (
    "consul",
    "control",
    "collector",
    "supervisor",
    "postgres",
    "valkey",
    "gossamer",
    "default",
    "template0",
    "template1",
)
"""Names that a part of the stack has, in Consul, among the processes or in a store."""
KEYS = ("name", "summary", "language", "contracts", "replicas", "stores", "calls", "edge", "try")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A call that a person may try.

    Attributes:
        method: in full, such as "shop.catalog.v1.CatalogService/GetProduct".
        json: the request; {uuid} stands for a new UUID.
    """

    method: str
    json: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service as it declares itself.

    Attributes:
        name: its name in Consul, the folder's name as well.
        language: the name of a kit.
        contracts: full names of the protobuf services it serves.
        replicas: how many instances run.
        stores: what it keeps data in; each store is its own, nobody else's.
        calls: the services that it calls.
        edge: whether it can be reached from outside.
        attempts: calls that a person is invited to try once it runs; the key is "try".
        folder: where it lives.
    """

    name: str
    summary: str
    language: str
    contracts: tuple[str, ...]
    replicas: int
    stores: tuple[str, ...]
    calls: tuple[str, ...]
    edge: bool
    attempts: tuple[Attempt, ...]
    folder: Path


def read(document: Document, folder: Path) -> Service:
    """Turn a document into a service, noting every mistake in the document."""
    document.only(*KEYS)
    service = Service(
        name=document.text("name", pattern=NAME, shape=NAME_SHAPE),
        summary=document.text("summary", shape="a sentence that says what it does"),
        language=document.text("language", shape="the name of a folder in kits/"),
        contracts=document.texts("contracts"),
        replicas=document.number("replicas", default=1, low=0, high=50),
        stores=document.texts("stores"),
        calls=document.texts("calls"),
        edge=document.flag("edge", default=False),
        attempts=tuple(_attempt(document, value) for value in document.items("try")),
        folder=folder,
    )
    if service.name and service.name != folder.name:
        document.wrong("name", f"'name' must be the folder's name {folder.name!r}, found {service.name!r}")
    if service.name in RESERVED:
        document.wrong("name", f"'name' must not be one that the stack uses itself ({', '.join(RESERVED)})")
    if not service.contracts and not any("'contracts'" in str(mistake) for mistake in document.mistakes):
        document.wrong("contracts", "'contracts' must name at least one, such as [shop.catalog.v1.CatalogService]")
    for store in set(service.stores) - set(STORES):
        document.wrong("stores", f"unknown store {store!r}; known stores: {', '.join(STORES)}")
    for key in ("contracts", "stores", "calls"):
        items = getattr(service, key)
        for item in sorted({item for item in items if items.count(item) > 1}):
            document.wrong(key, f"{item!r} stands in {key!r} twice")
    return service


def _attempt(document: Document, value: Any) -> Attempt:
    if not isinstance(value, dict) or {key: type(item) for key, item in value.items()} != {"method": str, "json": str}:
        document.wrong("try", f"each of 'try' must hold method and json as texts, found {value!r}")
        return Attempt(method="", json="")
    return Attempt(method=value["method"], json=value["json"])
