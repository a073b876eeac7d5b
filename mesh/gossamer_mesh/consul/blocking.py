"""The rules of Consul's blocking queries. Pure: answers and times in, parameters and delays out.

https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(kw_only=True)
class BlockingQuery(Generic[T]):
    """What one query asks for next, and whether its answer is a change."""

    index: int = 0
    """What to wait behind; 0 asks for what is there now."""
    last: T | None = None
    """What was answered last."""
    _first: bool = True

    def answered(self, index: int, value: T) -> bool:
        """Take an answer in and tell whether it is a change: the first is, and most others are not.

        An index that went backwards, or is not positive, starts again from 0.
        """
        self.index = index if index >= max(self.index, 1) else 0
        changed = self._first or value != self.last
        self.last, self._first = value, False
        return changed


@dataclass(kw_only=True)
class TokenBucket:
    """Limits how often something is done without delaying what is done seldom."""

    rate: float
    """How often a second, in the long run."""
    burst: int
    """How often at once, after a rest."""
    _tokens: float | None = None
    _at: float = 0.0

    def take(self, now: float) -> float:
        """Take a token and tell how many seconds to wait before acting on it."""
        before = self.burst if self._tokens is None else self._tokens + (now - self._at) * self.rate
        self._tokens, self._at = min(float(self.burst), before) - 1, now
        return max(0.0, -self._tokens / self.rate)


@dataclass(kw_only=True)
class Backoff:
    """Growing delays after failures. Times are seconds."""

    first: float = 0.1
    factor: float = 1.6
    most: float = 2.0
    _next: float = 0.0

    def failed(self, chance: float) -> float:
        """How long to wait before the next attempt; `chance` (0 to 1) spreads it by 20 percent either way."""
        delay = self._next or self.first
        self._next = min(self.most, delay * self.factor)
        return delay * (0.8 + 0.4 * chance)

    def worked(self) -> None:
        """Start again with the first delay after the next failure."""
        self._next = 0.0
