"""What must hold of each kind of resource for every gRPC client to take it as it is meant."""

from collections.abc import Iterator
from typing import TypeAlias

Problems: TypeAlias = Iterator[str]

LARGEST_SUM = 2**32 - 1
"""What weights may add up to."""


def must(*rules: tuple[bool, str]) -> Problems:
    """Give what is said of each rule that does not hold."""
    yield from (problem for holds, problem in rules if not holds)
