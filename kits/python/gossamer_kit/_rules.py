"""Which rule of a service's call policy a call falls under. It knows no stream, no clock and no call.

Conditions hold as in gRPC's own xDS (gRFC A28), since a rule and a route are halves of the same entry: the values of a
key are joined by commas, binary keys are never there, and of a key that isn't there only its absence can hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import StatusCode

from gossamer.mesh.v1 import traffic_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.duration_pb2 import Duration

    Metadata = Iterable[tuple[str, str | bytes]]

_CONTENT_TYPE = {"content-type": "application/grpc"}  # part of what gRPC compares, whatever a caller says


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to some calls. Times are seconds, `math.inf` where nobody says."""

    timeout: float = math.inf
    """The longest that a call may take, all attempts together."""
    attempt_timeout: float = math.inf
    """The longest that one attempt of a unary call may take."""
    retries: int = 0
    """How often a unary call is tried again at most."""
    statuses: frozenset[StatusCode] = frozenset()
    """After which statuses it is."""

    @property
    def attempts(self) -> bool:
        """Whether a unary call may need more than one attempt, or one that is shorter than the call."""
        return self.retries > 0 or self.attempt_timeout < math.inf


NOTHING = Rule()


class Rules:
    """The rules of one service. Raises ValueError for one that no call could be compared with.

    Without `carries_retries`, gRPC itself tries again, and knows attempts of any length.
    """

    def __init__(self, rules: Iterable[pb.CallRule], *, carries_retries: bool = True) -> None:
        self._rules = [
            (
                _compared(each.match.path_comparison, each.match.path),
                [_Header(header) for header in each.match.headers],
                _rule(each, carries_retries=carries_retries),
            )
            for each in rules
        ]
        self._of_path: dict[str, list[tuple[list[_Header], Rule]]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def find(self, path: str, metadata: Metadata) -> Rule:
        """Give the first rule that a call matches. What can match a path is looked for once."""
        found = self._of_path.get(path)
        if found is None:
            found = self._of_path[path] = [(headers, rule) for holds, headers, rule in self._rules if holds(path)]
        values: dict[str, str] | None = None
        for headers, rule in found:
            if headers and values is None:
                values = _values(metadata)
            if all(header.holds(values or {}) for header in headers):
                return rule
        return NOTHING


class _Header:
    """One condition on the metadata."""

    def __init__(self, match: pb.HeaderMatch) -> None:
        self._name = match.name
        self._invert = match.invert
        self._holds = None if match.comparison == pb.COMPARISON_PRESENT else _compared(match.comparison, match.value)

    def holds(self, values: dict[str, str]) -> bool:
        value = values.get(self._name)
        if self._holds is None:
            return (value is not None) is not self._invert
        return value is not None and self._holds(value) is not self._invert


def _compared(comparison: pb.Comparison, value: str) -> Callable[[str], bool]:
    match comparison:
        case pb.COMPARISON_EXACT:
            return value.__eq__
        case pb.COMPARISON_PREFIX:
            return lambda text: text.startswith(value)
        case pb.COMPARISON_SUFFIX:
            return lambda text: text.endswith(value)
        case pb.COMPARISON_CONTAINS:
            return lambda text: value in text
        case pb.COMPARISON_REGEX:
            return _matching(value)
        case other:
            raise ValueError(f"expected a comparison that this kit knows, found {other}")


def _matching(expression: str) -> Callable[[str], bool]:
    import re2  # noqa: PLC0415  (3 MB that a process without regular expressions does without)

    options = re2.Options()
    options.log_errors = False  # they are raised
    try:
        pattern = re2.compile(expression, options)
    except re2.error as error:
        raise ValueError(f"expected a regular expression of RE2, found {expression!r}: {error}") from error
    return lambda text: pattern.fullmatch(text) is not None


def _values(metadata: Metadata) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in metadata:
        if not key.endswith("-bin"):
            values[key] = f"{values[key]},{value}" if key in values else str(value)  # type: ignore[str-bytes-safe]
    return values | _CONTENT_TYPE


def _rule(rule: pb.CallRule, *, carries_retries: bool) -> Rule:
    timeout = _seconds(rule.timeout) if rule.HasField("timeout") else math.inf
    if not carries_retries:
        return Rule(timeout=timeout)
    statuses = {StatusCode[name] for name in rule.retry.statuses if name in StatusCode.__members__}
    if not rule.HasField("attempt_timeout"):
        return Rule(timeout, math.inf, rule.retry.times, frozenset(statuses))
    statuses.add(StatusCode.DEADLINE_EXCEEDED)  # of the attempt: the call itself may still have time
    return Rule(timeout, _seconds(rule.attempt_timeout), rule.retry.times, frozenset(statuses))


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1e9
