"""What Consul has no entry for: JSON under the KV prefix `gossamer/`, checked by the schemas beside this file.

gossamer/defaults            what holds where no entry says otherwise     schemas/defaults.json
gossamer/faults/SERVICE      what is done on purpose to some calls        schemas/faults.json
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import fastjsonschema

from gossamer_mesh.model import Abort, Delay, Fault, Header, HeaderIs, Outlier, Retry
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.retries import seconds

PREFIX = "gossamer/"
DEFAULTS = "defaults"
FAULTS = "faults/"

STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The names of gRPC's statuses, in the order of their numbers."""


RETRY = Retry(on=("unavailable",), times=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds for every service where no entry says otherwise."""

    retry: Retry | None = RETRY
    """What methods get that may be called again."""
    timeout: float | None = None
    outlier: Outlier | None = None
    zones: bool = False
    """Whether callers prefer instances of their own zone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFault:
    """A fault, and the calls it is for."""

    fault: Fault
    caller: str = ""
    """Empty: every caller."""
    path: str = ""
    """`/package.Service/Method`; empty: every method."""
    headers: tuple[Header, ...] = ()


def defaults(extras: Mapping[str, str], refusals: Refusals) -> Defaults:
    """Read `gossamer/defaults`; without it, or when it is refused, what the mesh does anyway."""
    written = _read(extras, DEFAULTS, DEFAULTS, refusals)
    if not written:
        return Defaults()
    own = Defaults()
    return Defaults(
        retry=_retry(written["retry"], own.retry) if "retry" in written else own.retry,
        timeout=seconds(written.get("timeout")),
        outlier=_outlier(written.get("outlier") or {}) if written.get("outlier") else None,
        zones=written.get("zones") == "prefer",
    )


def faults(extras: Mapping[str, str], service: str, refusals: Refusals) -> tuple[WrittenFault, ...]:
    """Read `gossamer/faults/SERVICE`; none when it is not there or is refused."""
    written = _read(extras, f"{FAULTS}{service}", "faults", refusals) or ()
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


def _retry(written: Any, own: Retry | None) -> Retry | None:
    if written is False:
        return None
    return Retry(on=tuple(sorted(written.get("on") or (own.on if own else ("unavailable",)))), times=written["times"])


def _outlier(written: Mapping[str, Any]) -> Outlier:
    durations = {name: seconds(written[name]) for name in ("interval", "base_ejection") if name in written}
    numbers = {name: value for name, value in written.items() if name not in durations}
    return Outlier(**{"max_ejection_percent": 50, "threshold": 50, **numbers, **durations})


def _read(extras: Mapping[str, str], key: str, schema: str, refusals: Refusals) -> Any:
    """Read one document; None when it is not there or is refused."""
    if key not in extras:
        return None
    try:
        document = json.loads(extras[key])
        _validator(schema)(document)
    except fastjsonschema.JsonSchemaValueException as error:
        name = error.name or ""
        field = name.removeprefix("data").lstrip(".")
        refusals.say(f"{PREFIX}{key} {field}".rstrip(), error.message.removeprefix(name).strip())
    except ValueError as error:
        refusals.say(f"{PREFIX}{key}", f"expected JSON, found what is none: {error}")
    else:
        return document
    return None


@cache
def _validator(schema: str) -> Callable[[Any], Any]:
    text = resources.files("gossamer_mesh.policy").joinpath("schemas", f"{schema}.json").read_text(encoding="utf-8")
    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(text))
    return compiled
