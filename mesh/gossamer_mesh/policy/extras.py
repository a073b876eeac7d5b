"""What Consul has no entry for: JSON under the KV prefix `gossamer/`, checked by the schemas beside this file.

gossamer/faults/SERVICE      what is done on purpose to some calls                 schemas/faults.json
gossamer/defaults[/SERVICE]  what holds where no entry says otherwise, see defaults.py
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NoReturn

import fastjsonschema

from gossamer_mesh.model import Abort, Delay, Entries, Fault, Header, HeaderIs
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.retries import seconds

PREFIX = "gossamer/"
FAULTS = "faults/"

LONGEST = 100
"""Characters of what was found that a reason repeats."""

STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The names of gRPC's statuses, in the order of their numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFault:
    """A fault, and the calls it is for."""

    fault: Fault
    caller: str = ""
    """Empty: every caller."""
    path: str = ""
    """`/package.Service/Method`; empty: every method."""
    headers: tuple[Header, ...] = ()


def faults(entries: Entries, service: str, refusals: Refusals) -> tuple[WrittenFault, ...]:
    """Read `gossamer/faults/SERVICE`; none when it is not there or is refused."""
    written = read(entries, f"{FAULTS}{service}", "faults", refusals) or ()
    return tuple(_fault(each, f"{PREFIX}{FAULTS}{service}[{index}]") for index, each in enumerate(written))


def _fault(written: Mapping[str, Any], source: str) -> WrittenFault:
    delay, abort = written.get("delay"), written.get("abort")
    return WrittenFault(
        fault=Fault(
            delay=Delay(seconds=seconds(delay["duration"]) or 0.0, percent=delay.get("percent", 100))
            if delay
            else None,
            abort=Abort(status=STATUSES.index(abort["status"]), percent=abort.get("percent", 100)) if abort else None,
            source=source,
        ),
        caller=written.get("from", ""),
        path=f"/{written['method']}" if "method" in written else "",
        headers=tuple(
            Header(name=name.lower(), is_=HeaderIs.EXACT, value=value)
            for name, value in sorted((written.get("headers") or {}).items())
        ),
    )


def read(entries: Entries, key: str, schema: str, refusals: Refusals) -> Any:
    """Read one document, by its key without `gossamer/`; None when it is not there or is refused."""
    if reason := entries.broken_extras.get(key):
        refusals.say(f"{PREFIX}{key}", reason)
    if key not in entries.extras or reason:
        return None
    try:
        document = json.loads(entries.extras[key], parse_constant=_no_number)
        _validator(schema)(document)
    except fastjsonschema.JsonSchemaValueException as error:
        field = (error.name or "").removeprefix("data").lstrip(".")
        refusals.say(f"{PREFIX}{key} {field}".rstrip(), _reason(error))
    except (ValueError, RecursionError) as error:
        refusals.say(f"{PREFIX}{key}", f"expected JSON, found what is none: {error}")
    else:
        return document
    return None


def _reason(error: fastjsonschema.JsonSchemaValueException) -> str:
    """Say what the schema expects, and what it found."""
    found, rule = json.dumps(error.value, ensure_ascii=False), error.definition or {}
    found = found if len(found) <= LONGEST else f"{found[:LONGEST]} ..."
    if error.rule in {"pattern", "not"} and "description" in rule:
        return f"expected {rule['description']}, found {found}"
    message = error.message.removeprefix(error.name or "").strip()
    if error.rule == "additionalProperties":
        return f"{message}, found {found}: expected some of {', '.join(rule['properties'])}"
    return f"{message}, found {found}"


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


@cache
def _validator(schema: str) -> Callable[[Any], Any]:
    text = resources.files("gossamer_mesh.policy").joinpath("schemas", f"{schema}.json").read_text(encoding="utf-8")
    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(text))
    return compiled
