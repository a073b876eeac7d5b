"""What consul/ holds of the mesh's own traffic policy: config entries, and values of keys under gossamer/.

consul/entries/*.json        one config entry each, as `consul config write` takes it
consul/gossamer/**/*.json    the value of the key that the path names, without .json

Whether Consul takes an entry, and whether clients can follow it, is not for here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer_mesh.declare import document as documents
from gossamer_mesh.declare.document import Document

ENTRIES = Path("consul", "entries")
VALUES = Path("consul", "gossamer")
KINDS = ("service-router", "service-splitter", "service-resolver", "service-defaults", "proxy-defaults")
"""Those that the mesh follows."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry as it is declared.

    Attributes:
        file: where, from the root.
        name: `service-router/catalog` for a config entry, `gossamer/defaults` for a value.
        body: what it says: JSON. Of a config entry, an object with Kind and Name.
    """

    file: str
    name: str
    body: Any


def read(root: Path) -> Iterator[tuple[Document, Entry]]:
    """Read all of them, each with a document that holds its mistakes. What can't be read has an empty name."""
    owners: dict[str, str] = {}
    for path in sorted(root.glob(f"{ENTRIES}/*")):
        document = documents.read(path, root)
        yield document, _once(document, _config_entry(document, path), owners)
    for path in sorted(each for each in root.glob(f"{VALUES}/**/*") if each.is_file()):
        document = Document(path.relative_to(root).as_posix())
        yield document, _once(document, _value(document, path, root), owners)


def _config_entry(document: Document, path: Path) -> Entry:
    kinds = ", ".join(KINDS)
    kind = document.text("Kind", pattern="|".join(KINDS), shape=f"one of {kinds}")
    name = document.text("Name", pattern=r"\S+", shape="the name of a service")
    if path.suffix != ".json":
        document.refuse("must be JSON, with a name that ends with .json")
    return Entry(file=document.file, name=f"{kind}/{name}" if kind and name else "", body=document.values)


def _value(document: Document, path: Path, root: Path) -> Entry:
    key = path.relative_to(root / VALUES.parent).with_suffix("").as_posix()
    try:
        if path.suffix != ".json":
            document.refuse("must be JSON, with a name that ends with .json")
        return Entry(file=document.file, name=key, body=json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        document.refuse(f"is not JSON: {error.msg}", error.lineno)
    except (OSError, ValueError, RecursionError) as error:
        document.refuse(f"can't be read: {error}")
    return Entry(file=document.file, name="", body=None)


def _once(document: Document, entry: Entry, owners: dict[str, str]) -> Entry:
    if entry.name in owners:
        document.wrong("Name", f"{entry.name} is in {owners[entry.name]} already")
    if entry.name:
        owners[entry.name] = entry.file
    return entry
