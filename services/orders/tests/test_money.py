import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.money import NANOS, Money

amounts = st.builds(Money, st.just("EUR"), st.integers(0, 10**15 * NANOS))


def test_units_and_nanos_are_those_of_the_message() -> None:
    money = Money.of("EUR", 12, 50_000_000)
    assert (money.amount, money.units, money.nanos) == (12_050_000_000, 12, 50_000_000)


@given(st.integers(0, 10**18), st.integers(0, NANOS - 1))
def test_splitting_undoes_joining(units: int, nanos: int) -> None:
    money = Money.of("EUR", units, nanos)
    assert (money.units, money.nanos) == (units, nanos)


@given(amounts, st.integers(1, 50))
def test_times_is_that_many_sums(price: Money, quantity: int) -> None:
    total = price
    for _ in range(quantity - 1):
        total = total.plus(price)
    assert price.times(quantity) == total


@given(amounts, amounts, amounts)
def test_the_order_of_sums_does_not_matter(a: Money, b: Money, c: Money) -> None:
    assert a.plus(b).plus(c) == c.plus(b.plus(a))


def test_a_price_that_floats_get_wrong_is_exact() -> None:
    """As floats, three times 0.1 is 0.30000000000000004."""
    assert Money.of("EUR", 0, 100_000_000).times(3) == Money.of("EUR", 0, 300_000_000)


def test_two_currencies_have_no_sum() -> None:
    with pytest.raises(ValueError, match="expected an amount in EUR, found one in USD"):
        Money("EUR", 1).plus(Money("USD", 1))


@pytest.mark.parametrize(("units", "nanos"), [(-1, 0), (0, -1), (0, NANOS), (1, -5), (2**63, 0)])
def test_what_is_no_price_is_refused(units: int, nanos: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        Money.of("EUR", units, nanos)


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "€€€"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="expected a currency"):
        Money(currency, 1)


def test_a_price_that_no_message_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an amount"):
        Money.of("EUR", 2**62, 0).times(3)
