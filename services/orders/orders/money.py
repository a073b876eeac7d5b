"""Amounts of money, exact: whole billionths of a currency's unit, as google.type.Money counts them; never floats."""

from dataclasses import dataclass
from typing import Self

NANOS = 1_000_000_000
"""Billionths in one unit."""

_MOST_UNITS = 2**63 - 1


@dataclass(frozen=True)
class Money:
    """An amount that is not negative, such as a price or a sum of prices."""

    currency: str
    """The three letters of ISO 4217, for example "EUR"."""
    amount: int
    """In billionths of one unit: 12.05 EUR are 12_050_000_000."""

    def __post_init__(self) -> None:
        """Refuse what is no price: raises ValueError."""
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):  # noqa: PLR2004
            raise ValueError(f"expected a currency of three capital letters, found {self.currency!r}")
        if not 0 <= self.amount <= _MOST_UNITS * NANOS:
            raise ValueError(f"expected an amount from 0 to {_MOST_UNITS} units, found {self.amount} billionths")

    @classmethod
    def of(cls, currency: str, units: int, nanos: int) -> Self:
        """Join what google.type.Money holds apart. Raises ValueError when the two do not fit together."""
        if not 0 <= nanos < NANOS:
            raise ValueError(f"expected 0 to 999,999,999 nanos, found {nanos}")
        return cls(currency, units * NANOS + nanos)

    @property
    def units(self) -> int:
        """The whole units."""
        return self.amount // NANOS

    @property
    def nanos(self) -> int:
        """What is left beside the whole units, in billionths."""
        return self.amount % NANOS

    def times(self, quantity: int) -> Self:
        """Return the price of so many pieces. Raises ValueError when no message can hold it."""
        return type(self)(self.currency, self.amount * quantity)

    def plus(self, other: Self) -> Self:
        """Add an amount of the same currency. Raises ValueError for another, or when no message can hold the sum."""
        if other.currency != self.currency:
            raise ValueError(f"expected an amount in {self.currency}, found one in {other.currency}")
        return type(self)(self.currency, self.amount + other.amount)
