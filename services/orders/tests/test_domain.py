from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.domain import (
    TRANSITIONS,
    CurrenciesMixedError,
    Item,
    Line,
    OrderNotCancellableError,
    OrderState,
    Product,
    ProductsMissingError,
    StateChange,
    cancel_request,
    place,
    place_request,
)
from orders.money import NANOS, Money

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
LAMP = Product("brass-desk-lamp", "Brass desk lamp", Money.of("EUR", 49, 900_000_000))
CUP = Product("blue-cup", "Blue cup", Money.of("EUR", 7, 50_000_000))
ORDER = place(
    UUID(int=1),
    customer_id="ada",
    items=[Item("blue-cup", 2), Item("brass-desk-lamp", 1)],
    products=[LAMP, CUP],
    time=NOW,
)


def test_an_order_has_the_catalogs_names_and_prices_in_the_order_of_the_request() -> None:
    assert ORDER.lines == (
        Line("blue-cup", "Blue cup", 2, Money.of("EUR", 7, 50_000_000)),
        Line("brass-desk-lamp", "Brass desk lamp", 1, Money.of("EUR", 49, 900_000_000)),
    )


def test_lines_and_total_add_up() -> None:
    assert [line.price for line in ORDER.lines] == [Money.of("EUR", 14, 100_000_000), Money.of("EUR", 49, 900_000_000)]
    assert ORDER.total == Money.of("EUR", 64, 0)


def test_a_new_order_is_placed() -> None:
    assert ORDER.history == (StateChange(1, OrderState.PLACED, NOW),)
    assert (ORDER.state, ORDER.create_time) == (OrderState.PLACED, NOW)


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 1000)), min_size=1, max_size=100))
def test_the_total_is_the_sum_of_quantity_times_price(lines: list[tuple[int, int]]) -> None:
    products = [Product(str(number), "", Money("EUR", amount)) for number, (amount, _) in enumerate(lines)]
    items = [Item(str(number), quantity) for number, (_, quantity) in enumerate(lines)]
    order = place(UUID(int=1), customer_id="ada", items=items, products=products, time=NOW)
    assert order.total == Money("EUR", sum(amount * quantity for amount, quantity in lines))


def test_products_that_the_catalog_lacks_are_named_in_the_order_of_the_request() -> None:
    items = [Item("gone", 1), Item("blue-cup", 1), Item("away", 1)]
    with pytest.raises(ProductsMissingError) as caught:
        place(UUID(int=1), customer_id="ada", items=items, products=[CUP], time=NOW)
    assert caught.value.product_ids == ("gone", "away")


def test_prices_in_two_currencies_are_refused() -> None:
    dollars = Product("dollar-mug", "Dollar mug", Money("USD", NANOS))
    items = [Item("dollar-mug", 1), Item("blue-cup", 1)]
    with pytest.raises(CurrenciesMixedError) as caught:
        place(UUID(int=1), customer_id="ada", items=items, products=[CUP, dollars], time=NOW)
    assert caught.value.currencies == ("EUR", "USD")


def test_a_total_that_no_message_can_hold_is_refused() -> None:
    dear = [Product(name, "", Money.of("EUR", 2**62, 0)) for name in ("a", "b")]
    with pytest.raises(ValueError, match="expected an amount"):
        place(UUID(int=1), customer_id="ada", items=[Item("a", 1), Item("b", 1)], products=dear, time=NOW)


def test_cancelling_adds_a_change() -> None:
    cancelled = ORDER.cancelled(time=LATER)
    assert cancelled.history == (StateChange(1, OrderState.PLACED, NOW), StateChange(2, OrderState.CANCELLED, LATER))
    assert (cancelled.state, cancelled.create_time) == (OrderState.CANCELLED, NOW)


def test_a_cancelled_order_cannot_be_cancelled() -> None:
    with pytest.raises(OrderNotCancellableError, match="the order is CANCELLED"):
        ORDER.cancelled(time=LATER).cancelled(time=LATER)


def test_an_order_as_of_a_change_forgets_the_later_ones() -> None:
    assert ORDER.cancelled(time=LATER).as_of(1) == ORDER


def test_every_state_says_what_may_follow() -> None:
    assert {state: state.final for state in OrderState} == {OrderState.PLACED: False, OrderState.CANCELLED: True}
    assert set(TRANSITIONS) == set(OrderState)


def test_the_same_request_has_the_same_fingerprint() -> None:
    one, again = (
        place_request(UUID(int=5), customer_id="ada", items=[Item("blue-cup", 1), Item("lamp", 2)]) for _ in range(2)
    )
    assert one == again


@pytest.mark.parametrize(
    ("customer_id", "items"),
    [
        ("bob", [Item("blue-cup", 1), Item("lamp", 2)]),
        ("ada", [Item("blue-cup", 1), Item("lamp", 3)]),
        ("ada", [Item("blue-cup", 1)]),
        ("ada", [Item("lamp", 2), Item("blue-cup", 1)]),
        ("ada", [Item('blue-cup", 1], ["lamp', 1)]),
    ],
)
def test_another_content_has_another_fingerprint(customer_id: str, items: list[Item]) -> None:
    one = place_request(UUID(int=5), customer_id="ada", items=[Item("blue-cup", 1), Item("lamp", 2)])
    assert place_request(UUID(int=5), customer_id=customer_id, items=items).fingerprint != one.fingerprint


def test_placing_and_cancelling_never_have_the_same_fingerprint() -> None:
    placing = place_request(UUID(int=5), customer_id=str(UUID(int=1)), items=[])
    assert cancel_request(UUID(int=5), order_id=UUID(int=1)).fingerprint != placing.fingerprint
