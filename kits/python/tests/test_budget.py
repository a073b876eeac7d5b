"""How many retries there may be."""

from gossamer_kit._budget import Budget


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spent(budget: Budget, times: int) -> int:
    """Count how many of so many retries were allowed."""
    return sum(budget.spend() for _ in range(times))


def test_without_a_limit_there_may_be_any_number() -> None:
    assert spent(Budget(Clock()), 500) == 500


def test_there_may_be_so_many_for_each_hundred_calls() -> None:
    budget = Budget(Clock())
    budget.allow(20, 0)
    for _ in range(50):
        budget.called()
    assert spent(budget, 100) == 10


def test_there_may_be_some_however_few_calls_there_are() -> None:
    budget = Budget(Clock())
    budget.allow(0, 0.5)
    assert spent(budget, 100) == 5


def test_calls_and_retries_count_for_ten_seconds() -> None:
    budget, counts = Budget(clock := Clock()), []
    budget.allow(50, 0)
    for _ in range(20):
        budget.called()
    for _ in range(3):
        counts.append(spent(budget, 100))
        clock.now += 5
    assert counts == [10, 0, 0]
    for _ in range(20):
        budget.called()
    assert spent(budget, 100) == 10


def test_a_new_limit_counts_what_was_before_it() -> None:
    budget = Budget(Clock())
    for _ in range(10):
        budget.called()
    assert spent(budget, 5) == 5
    budget.allow(60, 0)
    assert spent(budget, 5) == 1
