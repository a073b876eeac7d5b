"""Jaeger's read API as values: what its parameters mean, and the shapes of its answers. Pure.

Follows Jaeger 2.20, cmd/jaeger/internal/extension/jaegerquery/internal/query_parser.go and http_handler.go, and says so
where it goes further: ``lookback`` counts when ``start`` is missing (Jaeger leaves it to its page), ``service`` may be
left out, and ``prefix`` asks for traces whose id begins so.
"""

import json
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gossamer_mesh.collect.spans import trace_id_text

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1500
DEFAULT_LOOKBACK: Final = 2 * 24 * 3600 * 10**6
"""Microseconds; Jaeger's two days."""

_ID_DIGITS: Final = 32
_INT64: Final = 2**63 - 1
_INT64_DIGITS: Final = 20  # with a sign
_DAY_MILLISECONDS: Final = 24 * 3600 * 1000

_UNITS: Final = {  # nanoseconds
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5 and U+03BC, as Go has it
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PAGE_UNITS: Final = _UNITS | {"d": 24 * 3600 * 10**9, "w": 7 * 24 * 3600 * 10**9}
_DURATION_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)([a-zµμ]+)")

Parameters = Mapping[str, Sequence[str]]


class BadParameter(ValueError):  # noqa: N818 - an adjective of the parameter
    """A parameter can't be understood; answered with 400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceQuery:
    """Which traces are asked for. A trace is found when one of its spans meets every condition."""

    start: int
    """Microseconds since the epoch; spans that begin earlier don't count."""
    end: int
    service: str = ""
    operation: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    min_duration: int = 0
    """Microseconds; 0 is no condition."""
    max_duration: int = 0
    prefix: str = ""
    """The first hexadecimal digits of the trace id, of 32."""
    limit: int = DEFAULT_LIMIT
    trace_ids: Sequence[bytes] = ()
    """If there are any, these traces are meant, and nothing else counts."""


def trace_query(parameters: Parameters, *, now: int) -> TraceQuery:
    """Read the parameters of ``/api/traces``; ``now`` is in microseconds.

    Raises:
        BadParameter: with Jaeger's words.
    """
    end = _integer(parameters, "end", now)
    lookback = _lookback(_first(parameters, "lookback"))
    query = TraceQuery(
        service=_first(parameters, "service"),
        operation=_first(parameters, "operation"),
        start=_integer(parameters, "start", _clamped(end - lookback)),
        end=end,
        tags=_tags(parameters),
        limit=_limit(parameters),
        min_duration=_duration(parameters, "minDuration"),
        max_duration=_duration(parameters, "maxDuration"),
        prefix=_prefix(_first(parameters, "prefix")),
        trace_ids=tuple(trace_id(text) for text in parameters.get("traceID", ())),
    )
    if query.min_duration and query.max_duration and query.max_duration < query.min_duration:
        raise BadParameter("'maxDuration' should be greater than 'minDuration'")
    return query


def dependency_window(parameters: Parameters, *, now: int) -> tuple[int, int]:
    """Read ``endTs`` and ``lookback`` (milliseconds) of ``/api/dependencies``; give start and end in microseconds."""
    end = _integer(parameters, "endTs", now // 1000)
    lookback = _integer(parameters, "lookback", _DAY_MILLISECONDS)
    return _clamped((end - lookback) * 1000), _clamped(end * 1000)


def trace_id(text: str) -> bytes:
    """Read a trace id of up to 32 hexadecimal digits; shorter ones have zeros in front.

    Raises:
        BadParameter: it is none.
    """
    if len(text) > _ID_DIGITS:
        raise BadParameter(f"TraceID cannot be longer than {_ID_DIGITS} hex characters: {text[:64]}")
    if not text or not _is_hex(text):
        raise BadParameter(f"cannot parse traceID param: expected hexadecimal digits, found {text!r}")
    return bytes.fromhex(text.rjust(_ID_DIGITS, "0"))


def duration(text: str, units: Mapping[str, int] = _UNITS) -> int:
    """Read a duration as Go writes it (``1.5s``, ``1m30s``); give microseconds.

    Raises:
        ValueError: it is none.
    """
    if text == "0":
        return 0
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.removeprefix("+"):
        raise ValueError(f"time: invalid duration {json.dumps(text[:64])}")
    unknown = next((unit for _, unit in parts if unit not in units), None)
    if unknown:
        raise ValueError(f"time: unknown unit {json.dumps(unknown)} in duration {json.dumps(text[:64])}")
    nanoseconds = sum(float(number) * units[unit] for number, unit in parts)
    if not math.isfinite(nanoseconds):
        raise ValueError(f"time: invalid duration {json.dumps(text[:64])}")
    return _clamped(int(nanoseconds) // 1000)


def age(text: str) -> float:
    """Read a duration that may also have days and weeks (``24h``, ``7d``); give seconds."""
    return duration(text, _PAGE_UNITS) / 10**6


def envelope(data: str, *, total: int = 0, errors: Sequence[Mapping[str, Any]] | None = None) -> str:
    """Wrap an answer as Jaeger does; ``data`` is JSON already."""
    rest = json.dumps({"total": total, "limit": 0, "offset": 0, "errors": errors}, separators=(",", ":"))
    return f'{{"data":{data},{rest[1:]}'


def error(code: int, message: str) -> str:
    """Write the answer to a request that failed."""
    return envelope("null", errors=[{"code": code, "msg": message}])


def not_found(identifier: bytes) -> dict[str, str]:
    """Say of an id in a search by ids that it isn't there."""
    return {"msg": "trace not found", "traceID": trace_id_text(identifier)}


def trace(
    identifier: bytes, spans: Sequence[tuple[str, int]], processes: Mapping[int, tuple[str, str]], warning: str = ""
) -> str:
    """Write one trace.

    Args:
        identifier: the trace's id.
        spans: each span's stored body, and the key of its process.
        processes: of each key the service's name and the tags (JSON).
        warning: about the whole trace.
    """
    names: dict[int, str] = {}
    for _, process in spans:
        names.setdefault(process, f"p{len(names) + 1}")
    bodies = ",".join(f'{body[:-1]},"processID":"{names[process]}"}}' for body, process in spans)
    shown = ",".join(
        f'"{name}":{{"serviceName":{json.dumps(processes[key][0])},"tags":{processes[key][1]}}}'
        for key, name in names.items()
    )
    warnings = json.dumps([warning]) if warning else "null"
    identity = json.dumps(trace_id_text(identifier))
    return f'{{"traceID":{identity},"spans":[{bodies}],"processes":{{{shown}}},"warnings":{warnings}}}'


def carries(wanted: Mapping[str, str], body: str, process_tags: str) -> bool:
    """Tell whether a span has all wanted tags: in itself, in its logs or in its process. Values compare as text."""
    span = json.loads(body)
    own = _texts(span["tags"])
    others = [*(_texts(log["fields"]) for log in span["logs"]), _texts(json.loads(process_tags))]
    return all(_has(key, value, own, others) for key, value in wanted.items())


def words(wanted: Mapping[str, str]) -> list[str]:
    """Give texts that a span or its process must contain, as JSON, to have all wanted tags."""
    found = []
    for key, value in wanted.items():
        if not (key == "error" and value.lower() == "false"):
            found += [f'"key":{_quoted(key)}', _quoted(value.lower() if key == "span.kind" else value)[1:-1]]
    return found


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _has(key: str, value: str, own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> bool:
    if key == "error" and value.lower() == "false":  # most spans have no status at all
        return own.get(key, "false") == "false"
    if key == "span.kind":
        value = value.lower()
    return own.get(key) == value or any(fields.get(key) == value for fields in others)


def _texts(tags: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] if isinstance(tag["value"], str) else json.dumps(tag["value"]) for tag in tags}


def _first(parameters: Parameters, name: str) -> str:
    return next(iter(parameters.get(name, ())), "")


def _integer(parameters: Parameters, name: str, default: int) -> int:
    text = _first(parameters, name)
    if not text:
        return default
    try:
        number = int(text) if len(text) <= _INT64_DIGITS and text.lstrip("+-").isdecimal() else None
    except ValueError:
        number = None
    if number is None or abs(number) > _INT64:
        raise BadParameter(f"unable to parse param '{name}': expected a 64-bit integer, found {text[:64]!r}")
    return number


def _clamped(number: int) -> int:
    """Give the nearest number that SQLite can compare with."""
    return max(-_INT64, min(_INT64, number))


def _limit(parameters: Parameters) -> int:
    limit = _integer(parameters, "limit", DEFAULT_LIMIT)
    if limit <= 0:
        raise BadParameter(f"unable to parse param 'limit': expected a number above 0, found {limit}")
    return min(limit, MAX_LIMIT)


def _duration(parameters: Parameters, name: str) -> int:
    text = _first(parameters, name)
    try:
        return duration(text) if text else 0
    except ValueError as error_:
        raise BadParameter(f"unable to parse param '{name}': {error_}") from error_


def _lookback(text: str) -> int:
    """Jaeger's page sends ``1h``, ``2d`` or ``custom`` beside ``start``; only a duration means something."""
    try:
        return duration(text, _PAGE_UNITS) if text else DEFAULT_LOOKBACK
    except ValueError:
        return DEFAULT_LOOKBACK


def _tags(parameters: Parameters) -> dict[str, str]:
    tags = {}
    for text in parameters.get("tag", ()):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadParameter(f"malformed 'tag' parameter, expecting key:value, received: {text[:64]}")
        tags[key] = value
    for text in parameters.get("tags", ()):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error_:
            raise BadParameter(f"malformed 'tags' parameter, cannot unmarshal JSON: {error_}") from error_
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise BadParameter("malformed 'tags' parameter, cannot unmarshal JSON: expected an object of strings")
        tags |= found
    return tags


def _prefix(text: str) -> str:
    if len(text) > _ID_DIGITS or not _is_hex(text):
        raise BadParameter(
            f"unable to parse param 'prefix': expected up to {_ID_DIGITS} hexadecimal digits, found {text[:64]!r}"
        )
    return text.lower()


def _is_hex(text: str) -> bool:
    return set(text) <= set(string.hexdigits)
