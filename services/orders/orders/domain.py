"""What an order is and what may happen to it. Pure: no gRPC, no store, no clock, no randomness.

Errors, all refusals of what a caller asked for:

    OrderError
        ProductsMissingError      the catalog does not sell some of the products
        CurrenciesMixedError      the products are priced in more than one currency
        OutOfStockError           there are too few pieces of some of the products
        RatesNotKnownError        nobody knows the taxes of the place
        OrderNotFoundError        there is no order of that id
        OrderNotCancellableError  the order has a state that is final
        RequestIdReusedError      the request id belongs to another request
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from functools import reduce
from typing import Self
from uuid import UUID

from orders.money import Money


class OrderError(Exception):
    """A caller asked for something that an order does not allow."""


class ProductsMissingError(OrderError):
    """The catalog does not sell some of the products."""

    def __init__(self, product_ids: Sequence[str]) -> None:
        super().__init__("the catalog has no product " + ", ".join(product_ids))
        self.product_ids = tuple(product_ids)


class CurrenciesMixedError(OrderError):
    """The products are priced in more than one currency, so their prices have no sum."""

    def __init__(self, currencies: Iterable[str]) -> None:
        self.currencies = tuple(sorted(currencies))
        super().__init__("the products are priced in more than one currency: " + ", ".join(self.currencies))


class OutOfStockError(OrderError):
    """There are too few pieces of some of the products."""

    def __init__(self, product_ids: Iterable[str]) -> None:
        self.product_ids = tuple(product_ids)
        super().__init__("there are too few pieces of " + ", ".join(self.product_ids))


class RatesNotKnownError(OrderError):
    """Nobody knows the taxes of the place."""


class OrderNotFoundError(OrderError):
    """There is no order of that id."""


class OrderNotCancellableError(OrderError):
    """The order has a state that is final."""

    def __init__(self, state: "OrderState") -> None:
        super().__init__(f"the order is {state.name}, which is final")
        self.state = state


class RequestIdReusedError(OrderError):
    """The request id was used before, for another request."""


class OrderState(IntEnum):
    """Where an order stands; numbered as in the contract and in the store."""

    PLACED = 1
    CANCELLED = 2

    @property
    def final(self) -> bool:
        """Whether no other state can follow."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.PLACED: frozenset({OrderState.CANCELLED}),
    OrderState.CANCELLED: frozenset(),
}
"""Which states may follow which."""


@dataclass(frozen=True)
class Item:
    """Some pieces of a product, as a customer asks for them."""

    product_id: str
    quantity: int


@dataclass(frozen=True)
class Product:
    """What the catalog says of a product."""

    id: str
    name: str
    price: Money
    category: str = ""


@dataclass(frozen=True)
class Tax:
    """What is due on a line, and the rate in percent that it comes from."""

    percent: str
    amount: Money


@dataclass(frozen=True)
class Line:
    """Some pieces of a product, at the price they were ordered for, and what they are taxed."""

    product_id: str
    product_name: str
    quantity: int
    unit_price: Money
    tax: Tax | None = None
    """None for orders of a time when nobody asked."""
    category: str = ""
    """What kind of thing it is, for whoever taxes it. Not kept."""

    @property
    def price(self) -> Money:
        """Quantity times unit price."""
        return self.unit_price.times(self.quantity)


@dataclass(frozen=True)
class Place:
    """Where an order is delivered: a country by ISO 3166-1, and where that makes a difference a part by ISO 3166-2."""

    country: str
    subdivision: str = ""


@dataclass(frozen=True)
class StateChange:
    """One change of an order's state: the sequence counts from 1."""

    sequence: int
    state: OrderState
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order, with every state it had, oldest first."""

    id: UUID
    customer_id: str
    lines: tuple[Line, ...]
    history: tuple[StateChange, ...]
    place: Place = Place("")

    def __post_init__(self) -> None:
        """Refuse lines that have no sum: raises ValueError."""
        _ = self.total

    @property
    def state(self) -> OrderState:
        """Where it stands: the state of the newest change."""
        return self.history[-1].state

    @property
    def create_time(self) -> datetime:
        """When it was placed."""
        return self.history[0].time

    @property
    def total(self) -> Money:
        """The sum of all lines."""
        return reduce(Money.plus, (line.price for line in self.lines))

    @property
    def tax(self) -> Money:
        """The sum of the taxes of all lines."""
        nothing = Money(self.total.currency, 0)
        return reduce(Money.plus, (line.tax.amount for line in self.lines if line.tax), nothing)

    def taxed(self, taxes: Iterable[Tax]) -> Self:
        """Return the order with what is due on each of its lines."""
        lines = (replace(line, tax=tax) for line, tax in zip(self.lines, taxes, strict=True))
        return replace(self, lines=tuple(lines))

    def as_of(self, sequence: int) -> Self:
        """Return the order as it stood after the change of that sequence."""
        return replace(self, history=self.history[:sequence])

    def cancelled(self, *, time: datetime) -> Self:
        """Return the order after it was cancelled. Raises OrderNotCancellableError."""
        if OrderState.CANCELLED not in TRANSITIONS[self.state]:
            raise OrderNotCancellableError(self.state)
        change = StateChange(len(self.history) + 1, OrderState.CANCELLED, time)
        return replace(self, history=(*self.history, change))


def place(
    order_id: UUID,
    *,
    customer_id: str,
    items: Sequence[Item],
    products: Iterable[Product],
    time: datetime,
    to: Place = Place(""),
) -> Order:
    """Make an order of items at the prices of products. Raises ProductsMissingError or CurrenciesMixedError."""
    known = {product.id: product for product in products}
    missing = [item.product_id for item in items if item.product_id not in known]
    if missing:
        raise ProductsMissingError(missing)
    currencies = {known[item.product_id].price.currency for item in items}
    if len(currencies) > 1:
        raise CurrenciesMixedError(currencies)
    lines = tuple(_line(known[item.product_id], item.quantity) for item in items)
    placed = StateChange(1, OrderState.PLACED, time)
    return Order(id=order_id, customer_id=customer_id, lines=lines, history=(placed,), place=to)


def _line(product: Product, quantity: int) -> Line:
    return Line(product.id, product.name, quantity, product.price, category=product.category)


@dataclass(frozen=True)
class Request:
    """What tells a repeated request from another one that took its id: the id, and a fingerprint of the content."""

    id: UUID
    fingerprint: bytes


def place_request(request_id: UUID, *, customer_id: str, items: Sequence[Item], to: Place = Place("")) -> Request:
    """Describe a request to place an order."""
    where = [to.country, to.subdivision] if to.country else []  # a request that says nothing is the same as ever
    content = [[item.product_id, item.quantity] for item in items]
    return _request(request_id, "PlaceOrder", customer_id, content, *where)


def cancel_request(request_id: UUID, *, order_id: UUID) -> Request:
    """Describe a request to cancel an order."""
    return _request(request_id, "CancelOrder", str(order_id))


def _request(request_id: UUID, *content: object) -> Request:
    # JSON keeps the parts apart: no two contents read alike
    return Request(request_id, hashlib.sha256(json.dumps(content).encode()).digest())
