"""The contract shop.orders.v1.OrdersService over the domain: one method an RPC, and no decision of its own.

The kit has checked the rules of the contract before, and ends a method whose caller is gone or out of time.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from gossamer_kit import Error
from orders import page_token
from orders.catalog import Catalog, CatalogUnavailableError
from orders.changes import ChangeFeed, changes_of
from orders.domain import (
    CurrenciesMixedError,
    Item,
    Line,
    Order,
    OrderNotCancellableError,
    OrderNotFoundError,
    OrderState,
    OutOfStockError,
    Place,
    ProductsMissingError,
    RatesNotKnownError,
    RequestIdReusedError,
    StateChange,
    cancel_request,
    place,
    place_request,
)
from orders.inventory import InventoryUnavailableError
from orders.others import money_message
from orders.page_token import PageTokenInvalidError, Position
from orders.selling import Selling
from orders.store import Store, StoreUnavailableError
from orders.tax import TaxUnavailableError
from shop.orders.v1 import orders_pb2 as pb
from shop.orders.v1.orders_pb2_grpc import OrdersServiceServicer

_HOME = "AT"
_PAGE_SIZE = 20
_CATALOG_PATIENCE = 2.0
_CATALOG_SHARE = 0.6  # of the time that is left: the rest is for storing, and for saying that the catalog is away
_STORE_SHARE = 0.8  # of the time that is left: the rest is for saying that the store is away
_MOST_NAMED = 20  # products in one refusal: gRPC's clients refuse more than 8 KiB of trailers

_STATES = {
    OrderState.PLACED: pb.ORDER_STATE_PLACED,
    OrderState.CANCELLED: pb.ORDER_STATE_CANCELLED,
}


class Orders(OrdersServiceServicer):
    """Places orders and shows them."""

    def __init__(
        self,
        *,
        store: Store,
        feed: ChangeFeed,
        catalog: Catalog,
        selling: Selling,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Serve from a store, a feed of its changes, a catalog, and what sells."""
        self._store = store
        self._feed = feed
        self._catalog = catalog
        self._selling = selling
        self._now = now

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Any) -> pb.PlaceOrderResponse:
        """Sell what is wanted at the catalog's prices, or give the first answer to this request again."""
        items = [Item(item.product_id, item.quantity) for item in request.items]
        to, customer_id = Place(request.country, request.subdivision), request.customer_id
        content = place_request(UUID(request.request_id), customer_id=customer_id, items=items, to=to)
        with _refusals(items):
            order = await self._store.answer(content, within=_store_share(context))
            if order is None:
                products = await self._catalog.products(
                    [item.product_id for item in items], within=_catalog_share(context)
                )
                to = Place(to.country or _HOME, to.subdivision)
                new = place(uuid4(), customer_id=customer_id, items=items, products=products, time=self._now(), to=to)
                order = await self._selling.sell(content, new, left=partial(_left, context))
        return pb.PlaceOrderResponse(order=_order(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        """Show one order."""
        with _refusals():
            order = await self._store.get(_order_id(request.id), within=_store_share(context))
        return pb.GetOrderResponse(order=_order(order))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        """Show a page of orders; one more than the page holds tells whether another page follows."""
        size, customer_id, after = request.page_size or _PAGE_SIZE, request.customer_id, None
        with _refusals():
            if request.page_token:
                after = page_token.decode(request.page_token, customer_id=customer_id)
            orders = await self._store.newest(
                customer_id=customer_id, after=after, limit=size + 1, within=_store_share(context)
            )
        response = pb.ListOrdersResponse(orders=[_order(order) for order in orders[:size]])
        if len(orders) > size:
            last = orders[size - 1]
            position = Position(last.create_time, last.id)
            response.next_page_token = page_token.encode(position, customer_id=customer_id)
        return response

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Any) -> pb.CancelOrderResponse:
        """Cancel an order, or give the first answer to this request again."""
        with _refusals():
            order_id = _order_id(request.id)
            content = cancel_request(UUID(request.request_id), order_id=order_id)
            order = await self._store.cancel(content, order_id, time=self._now(), within=_store_share(context))
        return pb.CancelOrderResponse(order=_order(order))

    async def WatchOrder(
        self,
        request: pb.WatchOrderRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchOrderResponse]:
        """Stream the changes of one order until a state that is final."""
        with _refusals():
            order_id = _order_id(request.id)
            following = changes_of(order_id, after_sequence=request.after_sequence, store=self._store, feed=self._feed)
            async with aclosing(following) as changes:
                async for change in changes:
                    yield pb.WatchOrderResponse(change=_change(change))


def _catalog_share(context: Any) -> float:
    """Return the seconds that the catalog gets of a call's time."""
    return min(_CATALOG_PATIENCE, _CATALOG_SHARE * _left(context))


def _store_share(context: Any) -> float:
    """Return the seconds that the store gets of a call's time at the most."""
    return _STORE_SHARE * _left(context)


def _left(context: Any) -> float:
    remaining = context.time_remaining()
    return math.inf if remaining is None else remaining


def _order_id(text: str) -> UUID:
    """Read an order's id; what is none belongs to no order."""
    try:
        order_id = UUID(text)
    except ValueError as error:
        raise OrderNotFoundError from error
    if str(order_id) != text:
        raise OrderNotFoundError
    return order_id


_REFUSALS: Mapping[type[Exception], tuple[StatusCode, str, str]] = {
    CurrenciesMixedError: (StatusCode.FAILED_PRECONDITION, "CURRENCIES_MIXED", ""),
    OrderNotFoundError: (StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", "there is no order of that id"),
    OrderNotCancellableError: (StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE", ""),
    RequestIdReusedError: (
        StatusCode.ALREADY_EXISTS,
        "REQUEST_ID_REUSED",
        "request_id belongs to a request with other content: make a new one",
    ),
    StoreUnavailableError: (
        StatusCode.UNAVAILABLE,
        "STORE_UNAVAILABLE",
        "orders can't be read or written now: try again",
    ),
    CatalogUnavailableError: (
        StatusCode.UNAVAILABLE,
        "CATALOG_UNAVAILABLE",
        "prices can't be asked for, since catalog does not answer: try again",
    ),
    InventoryUnavailableError: (
        StatusCode.UNAVAILABLE,
        "INVENTORY_UNAVAILABLE",
        "pieces can't be put aside, since inventory does not answer: try again",
    ),
    TaxUnavailableError: (
        StatusCode.UNAVAILABLE,
        "TAX_UNAVAILABLE",
        "taxes can't be asked for, since tax does not answer: try again",
    ),
}
"""What is told of what has no fields to blame; an empty message is the error's own."""


@contextmanager
def _refusals(items: list[Item] | None = None) -> Iterator[None]:
    """Tell the caller what the domain, the store or another service refuse, in the words of the contract."""
    try:
        yield
    except ProductsMissingError as error:
        raise _products_missing(error, items or []) from error
    except OutOfStockError as error:
        raise _out_of_stock(error, items or []) from error
    except RatesNotKnownError as error:
        message = "the taxes of that place are not known"
        raise Error(StatusCode.NOT_FOUND, "RATES_NOT_KNOWN", message, fields={"country": message}) from error
    except PageTokenInvalidError as error:
        message = "page_token was not given by a call with these other fields"
        fields = {"page_token": message}
        raise Error(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", message, fields=fields) from error
    except tuple(_REFUSALS) as error:
        code, reason, message = _REFUSALS[type(error)]
        raise Error(code, reason, message or str(error)) from error


def _out_of_stock(error: OutOfStockError, items: list[Item]) -> Error:
    named = error.product_ids[:_MOST_NAMED]
    fields = {
        f"items[{index}].quantity": "there are too few pieces"
        for index, item in enumerate(items)
        if item.product_id in named
    }
    message = "there are too few pieces of some of the products"
    return Error(StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", message, fields=fields)


def _products_missing(error: ProductsMissingError, items: list[Item]) -> Error:
    named = error.product_ids[:_MOST_NAMED]
    fields = {
        f"items[{index}].product_id": "the catalog has no such product"
        for index, item in enumerate(items)
        if item.product_id in named
    }
    message = f"the catalog does not have {len(error.product_ids)} of the products"
    metadata = {"product_ids": ",".join(named)}
    return Error(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", message, fields=fields, metadata=metadata)


def _order(order: Order) -> pb.Order:
    return pb.Order(
        id=str(order.id),
        customer_id=order.customer_id,
        lines=[_line(line) for line in order.lines],
        total=money_message(order.total),
        state=_STATES[order.state],
        create_time=_time(order.create_time),
        history=[_change(change) for change in order.history],
        tax=money_message(order.tax),
        gross=money_message(order.total.plus(order.tax)),
        country=order.place.country,
        subdivision=order.place.subdivision,
    )


def _line(line: Line) -> pb.OrderLine:
    return pb.OrderLine(
        product_id=line.product_id,
        product_name=line.product_name,
        quantity=line.quantity,
        unit_price=money_message(line.unit_price),
        line_price=money_message(line.price),
        tax_percent=line.tax.percent if line.tax else "",
        tax=money_message(line.tax.amount) if line.tax else None,
    )


def _change(change: StateChange) -> pb.OrderStateChange:
    return pb.OrderStateChange(sequence=change.sequence, state=_STATES[change.state], time=_time(change.time))


def _time(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
