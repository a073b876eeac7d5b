"""Words that several verbs take: times, and pairs of names and values."""

import re
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from gossamer_mesh.errors import UsageProblem

TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
NANOSECONDS = {"ms": 1e6, "s": 1e9, "m": 60e9}


def duration(text: str) -> Duration:
    """Read a time as `200ms`, `1.5s` or `2m`. Raises `UsageProblem`."""
    read, found = Duration(), TIME.fullmatch(text)
    if not found:
        raise UsageProblem(f"expected a time, as in 200ms, 1.5s or 2m, found {text!r}")
    read.FromNanoseconds(round(float(found[1]) * NANOSECONDS[found[2]]))
    return read


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Read pairs as `name=value`; names get lower case. Raises `UsageProblem`."""
    read = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageProblem(f"expected a name and its value, as in x-tenant=acme, found {text!r}")
        read[name.lower()] = value
    return read
