"""What the values below `gossamer/` in Consul's KV store say, as texts. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

PREFIX = "gossamer/"

LARGEST = 64 * 1024
"""Bytes of a value. What is written here is some hundred; Consul takes 512 KiB."""


class Values(NamedTuple):
    """All of them, by key without the prefix."""

    texts: Mapping[str, str]
    broken: Mapping[str, str]
    """Why a value is none of the texts."""


def values_of(found: Iterable[Mapping[str, Any]] | None) -> Values:
    """Read what `GET /v1/kv/gossamer/?recurse` gives. A key that ends in a slash is a folder of Consul's page."""
    texts, broken = {}, {}
    for pair in found or ():
        key, value = pair["Key"].removeprefix(PREFIX), pair["Value"] or b""
        if key.endswith("/") or not key:
            continue
        if len(value) > LARGEST:
            broken[key] = f"expected at most {LARGEST} bytes, found {len(value)}"
            continue
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError as error:
            broken[key] = f"expected JSON in UTF-8, found what is none at byte {error.start}"
    return Values(texts, broken)
