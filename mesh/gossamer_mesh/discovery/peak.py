"""The most there was of something within a while. Pure: times are given."""

from collections import deque


class Peak:
    """Remembers how many there were, no further back than it was asked to."""

    def __init__(self, window: float) -> None:
        """Remember so many seconds."""
        self._window = window
        self._steps: deque[tuple[float, int]] = deque()
        """From when on there were how many; the first began before the window."""

    def note(self, now: float, count: int) -> None:
        """Note how many there are from now on."""
        if not self._steps or self._steps[-1][1] != count:
            self._steps.append((now, count))
        self._forget(now)

    def most(self, now: float) -> int:
        """Tell the most there were within the window."""
        self._forget(now)
        return max((count for _, count in self._steps), default=0)

    def _forget(self, now: float) -> None:
        while len(self._steps) > 1 and self._steps[1][0] <= now - self._window:
            self._steps.popleft()
