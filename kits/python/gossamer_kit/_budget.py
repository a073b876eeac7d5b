"""How many calls of one service this process may try again: what keeps retries from making an overload worse."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = 10
"""Seconds that are looked back on."""


class Budget:
    """Counts calls and retries by the second. Without a limit there may be any number of retries.

    With one there may be, within any ten seconds, `percent` retries for each hundred calls, and ten times
    `min_per_second` more. That is how Finagle's and Linkerd's retry budgets count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[list[int]] = deque(maxlen=_WINDOW)  # [second, calls, retries], the newest last
        self.allow_all()

    def allow(self, percent: float, min_per_second: float) -> None:
        """Set the limit. What was counted stays."""
        self._percent, self._least = percent, min_per_second * _WINDOW

    def allow_all(self) -> None:
        """Take the limit away."""
        self.allow(0, math.inf)

    def called(self) -> None:
        """Count a call."""
        self._now()[1] += 1

    def spend(self) -> bool:
        """Count a retry, if there may be one."""
        now = self._now()
        recent = [each for each in self._seconds if each[0] > now[0] - _WINDOW]
        calls, retries = sum(each[1] for each in recent), sum(each[2] for each in recent)
        if retries + 1 > calls * self._percent / 100 + self._least:
            return False
        now[2] += 1
        return True

    def _now(self) -> list[int]:
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        return self._seconds[-1]
