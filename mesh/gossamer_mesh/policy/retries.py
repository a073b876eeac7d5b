"""A destination's retries and timeout -> what gRPC clients can do (gRFCs A44 and A31)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gossamer_mesh.model import Retry
from gossamer_mesh.policy.refusals import Refusals

MOST = 4
"""gRPC makes at most five attempts."""

GRPC = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
"""The statuses after which gRPC clients can try again."""

AS_UNAVAILABLE = ("connect-failure", "reset", "refused-stream", "gateway-error", "5xx")
"""What Envoy has words for and a gRPC client sees as UNAVAILABLE."""

UNAVAILABLE_CODES = (429, 502, 503, 504)
"""HTTP statuses that a gRPC client sees as UNAVAILABLE (gRPC's http-grpc-status-mapping)."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str | int | None) -> float | None:
    """Read a duration as Consul writes it: a text such as `1m30s`, or nanoseconds. None: there is none."""
    if not duration:
        return None
    if isinstance(duration, int):
        return duration / 1e9
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration)) or None


def retry(destination: Mapping[str, Any], subject: str, refusals: Refusals) -> Retry | None:
    """Read how a route tries again, noting what no client can do. None: nothing is said."""
    times = int(destination.get("NumRetries") or 0)
    on = tuple(sorted(set(_conditions(destination, subject, refusals))))
    if times > MOST:
        refusals.say(
            f"{subject}.NumRetries", f"gRPC clients make at most five attempts: expected 1 to {MOST}, found {times}"
        )
    if times and not on:
        refusals.say(f"{subject}.RetryOn", "NumRetries without it tries nothing again: write [unavailable]")
    return Retry(on=on, times=min(times or 1, MOST)) if on else None


def _conditions(destination: Mapping[str, Any], subject: str, refusals: Refusals) -> Iterator[str]:
    if destination.get("RetryOnConnectFailure"):
        yield "unavailable"
    for condition in destination.get("RetryOn") or ():
        if condition in GRPC:
            yield condition
        elif condition in AS_UNAVAILABLE:
            yield "unavailable"
        else:
            refusals.say(
                f"{subject}.RetryOn", f"gRPC clients don't know {condition!r}: expected some of {', '.join(GRPC)}"
            )
    for code in destination.get("RetryOnStatusCodes") or ():
        if code in UNAVAILABLE_CODES:
            yield "unavailable"
        else:
            refusals.say(
                f"{subject}.RetryOnStatusCodes",
                f"gRPC calls end with a status of gRPC, not with {code}: write RetryOn, with some of {', '.join(GRPC)}",
            )
