"""What holds where no entry of Consul says otherwise: for all services, and for the calls of one.

gossamer/defaults            for all services      schemas/defaults.json
gossamer/defaults/SERVICE    for calls of SERVICE, field by field in place of what holds for all; the same schema
"""

from dataclasses import dataclass, replace
from typing import Any

from gossamer_mesh.model import Entries, Outlier, Retry, RetryBudget
from gossamer_mesh.policy import extras
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.retries import seconds

KEY = "defaults"

RETRY = Retry(on=("unavailable",), times=3)

OUTLIER = Outlier(max_ejection_percent=50, minimum_hosts=2, request_volume=10)
"""Of two instances one is left alone when 85 % of its calls fail, and never the only one.

gRPC counts every status but OK as failed, also those that the callee means, such as NOT_FOUND. That is why a lower
share is not for everybody, and why never more than half of the instances go: those that are left still take all calls.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds for the calls of a service where no entry says otherwise."""

    retry: Retry | None = RETRY
    """What methods get that may be called again."""
    timeout: float | None = None
    """Seconds that a call of a unary method may take, all attempts together. Streams may stay for ever, so there is
    none for them; and none at all unless it is written, because callers have deadlines of their own."""
    attempt_timeout: float | None = None
    """Seconds that one attempt of a unary method may take."""
    retry_budget: RetryBudget | None = None
    outlier: Outlier | None = OUTLIER
    zones: bool = False
    """Whether callers prefer instances of their own zone."""

    @property
    def by_kit(self) -> bool:
        """Whether attempts of unary methods are for kits to make: no library knows what is asked of them."""
        return self.attempt_timeout is not None or self.retry_budget is not None


def defaults(entries: Entries, service: str, refusals: Refusals) -> Defaults:
    """Read what holds for calls of a service; what is refused is left out."""
    every = extras.read(entries, KEY, KEY, refusals) or {}
    own = extras.read(entries, f"{KEY}/{service}", KEY, refusals) or {}
    fields = {**every, **own}
    return Defaults(
        retry=_retry(fields["retry"]) if "retry" in fields else RETRY,
        timeout=seconds(fields.get("timeout")),
        attempt_timeout=seconds(fields.get("attempt_timeout")),
        retry_budget=RetryBudget(**fields["retry_budget"]) if fields.get("retry_budget") else None,
        outlier=_outlier(fields["outlier"]) if "outlier" in fields else OUTLIER,
        zones=fields.get("zones") == "prefer",
    )


def _retry(written: Any) -> Retry | None:
    if written is False:
        return None
    return Retry(on=tuple(sorted(written.get("on") or RETRY.on)), times=written["times"])


def _outlier(written: Any) -> Outlier | None:
    if written is False:
        return None
    durations = {name: seconds(written[name]) for name in ("interval", "base_ejection") if name in written}
    return replace(OUTLIER, **{**written, **durations})
