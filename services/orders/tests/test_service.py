"""The service as a caller sees it: real processes, real PostgreSQL, grpcio's own client and catalog."""

import uuid
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money
from harness.refusals import refusal

from shop.orders.v1 import orders_pb2 as pb

DEADLINE = 30
DOMAIN = "shop.orders.v1"


def new_id() -> str:
    return str(uuid.uuid4())


def place(orders: Any, *items: tuple[str, int], customer: str = "ada", request_id: str | None = None) -> pb.Order:
    request = pb.PlaceOrderRequest(
        request_id=request_id or new_id(),
        customer_id=customer,
        items=[pb.OrderItem(product_id=product, quantity=quantity) for product, quantity in items or [("blue-cup", 1)]],
    )
    order: pb.Order = orders.PlaceOrder(request, timeout=DEADLINE).order
    return order


def cancel(orders: Any, order_id: str, request_id: str | None = None) -> pb.Order:
    request = pb.CancelOrderRequest(id=order_id, request_id=request_id or new_id())
    order: pb.Order = orders.CancelOrder(request, timeout=DEADLINE).order
    return order


def refused(call: Any, request: Any) -> tuple[grpc.StatusCode, str, list[str]]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=DEADLINE)
    return refusal(caught.value, DOMAIN)[:3]


def test_an_order_has_the_catalogs_names_and_prices(orders: Any) -> None:
    order = place(orders, ("blue-cup", 2), ("brass-desk-lamp", 1))
    assert [(line.product_name, line.quantity) for line in order.lines] == [("Blue cup", 2), ("Brass desk lamp", 1)]
    assert order.lines[0].unit_price == Money(currency_code="EUR", units=7, nanos=50_000_000)
    assert order.lines[0].line_price == Money(currency_code="EUR", units=14, nanos=100_000_000)
    assert order.total == Money(currency_code="EUR", units=64)
    assert (order.state, order.customer_id) == (pb.ORDER_STATE_PLACED, "ada")
    assert [(change.sequence, change.state) for change in order.history] == [(1, pb.ORDER_STATE_PLACED)]
    assert order.history[0].time == order.create_time


def test_an_order_is_read_the_same_on_the_other_instance(instances: tuple[Any, Any]) -> None:
    order = place(instances[0])
    assert instances[1].GetOrder(pb.GetOrderRequest(id=order.id), timeout=DEADLINE).order == order


def test_an_order_keeps_its_price_when_the_catalogs_changes(orders: Any, catalog: Any) -> None:
    order = place(orders)
    catalog.prices["blue-cup"] = Money(currency_code="EUR", units=100)
    assert orders.GetOrder(pb.GetOrderRequest(id=order.id), timeout=DEADLINE).order == order


def test_a_repeated_request_gets_the_first_answer_whatever_happened_since(
    instances: tuple[Any, Any], catalog: Any
) -> None:
    request_id = new_id()
    first = place(instances[0], request_id=request_id)
    cancel(instances[0], first.id)
    catalog.prices.clear()
    assert place(instances[1], request_id=request_id) == first


def placed_at_once(instances: tuple[Any, Any], customer: str, request_ids: list[str]) -> list[pb.Order]:
    """Place an order for each request, all at once, in turn on each instance."""
    item = pb.OrderItem(product_id="blue-cup", quantity=1)
    requests = [pb.PlaceOrderRequest(request_id=each, customer_id=customer, items=[item]) for each in request_ids]
    calls = [
        instances[number % 2].PlaceOrder.future(request, timeout=DEADLINE) for number, request in enumerate(requests)
    ]
    return [call.result().order for call in calls]


def of_customer(orders: Any, customer: str) -> list[pb.Order]:
    return list(orders.ListOrders(pb.ListOrdersRequest(customer_id=customer), timeout=DEADLINE).orders)


def test_a_request_at_once_on_both_instances_makes_one_order(instances: tuple[Any, Any]) -> None:
    customer = new_id()
    answers = placed_at_once(instances, customer, [new_id()] * 16)
    assert all(answer == answers[0] for answer in answers)
    assert of_customer(instances[0], customer) == [answers[0]]


def test_many_requests_at_once_on_both_instances_make_an_order_each(instances: tuple[Any, Any]) -> None:
    """The control of the test above."""
    customer = new_id()
    placed_at_once(instances, customer, [new_id() for _ in range(16)])
    assert len(of_customer(instances[0], customer)) == 16


def test_a_request_id_with_another_body_is_refused(instances: tuple[Any, Any]) -> None:
    order_id, request_id = place(instances[0]).id, new_id()
    place(instances[0], request_id=request_id)
    other = pb.PlaceOrderRequest(
        request_id=request_id, customer_id="ada", items=[pb.OrderItem(product_id="blue-cup", quantity=2)]
    )
    cancellation = pb.CancelOrderRequest(id=order_id, request_id=request_id)
    expected: tuple[object, ...] = (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", [])
    assert refused(instances[1].PlaceOrder, other) == expected
    assert refused(instances[1].CancelOrder, cancellation) == expected


def test_unknown_products_are_named(orders: Any) -> None:
    items = [pb.OrderItem(product_id=product, quantity=1) for product in ("gone", "blue-cup", "away")]
    with pytest.raises(grpc.RpcError) as caught:
        orders.PlaceOrder(pb.PlaceOrderRequest(request_id=new_id(), customer_id="ada", items=items), timeout=DEADLINE)
    assert refusal(caught.value, DOMAIN) == (
        grpc.StatusCode.NOT_FOUND,
        "PRODUCT_NOT_FOUND",
        ["items[0].product_id", "items[2].product_id"],
        {"product_ids": "gone,away"},
    )


def test_a_hundred_unknown_products_with_long_ids_are_refused_in_a_message_that_arrives(orders: Any) -> None:
    """Clients take 8 KiB of trailers; all names would be more."""
    items = [pb.OrderItem(product_id=f"{number:064}", quantity=1) for number in range(100)]
    request = pb.PlaceOrderRequest(request_id=new_id(), customer_id="ada", items=items)
    status, reason, fields = refused(orders.PlaceOrder, request)
    assert (status, reason) == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND")
    assert fields == [f"items[{number}].product_id" for number in range(20)]


def test_prices_in_two_currencies_are_refused(orders: Any) -> None:
    items = [pb.OrderItem(product_id=product, quantity=1) for product in ("blue-cup", "dollar-mug")]
    request = pb.PlaceOrderRequest(request_id=new_id(), customer_id="ada", items=items)
    assert refused(orders.PlaceOrder, request) == (grpc.StatusCode.FAILED_PRECONDITION, "CURRENCIES_MIXED", [])


def test_a_price_that_is_none_is_an_internal_error_that_says_nothing(orders: Any, catalog: Any) -> None:
    catalog.prices["blue-cup"] = Money(currency_code="EUR", units=-1)
    request = pb.PlaceOrderRequest(
        request_id=new_id(), customer_id="ada", items=[pb.OrderItem(product_id="blue-cup", quantity=1)]
    )
    assert refused(orders.PlaceOrder, request) == (grpc.StatusCode.INTERNAL, "INTERNAL", [])


def test_a_cancelled_order_says_so_and_repeating_gets_the_same_answer(instances: tuple[Any, Any]) -> None:
    order, request_id = place(instances[0]), new_id()
    cancelled = cancel(instances[0], order.id, request_id)
    assert cancelled.state == pb.ORDER_STATE_CANCELLED
    assert [change.state for change in cancelled.history] == [pb.ORDER_STATE_PLACED, pb.ORDER_STATE_CANCELLED]
    assert cancel(instances[1], order.id, request_id) == cancelled


def test_an_order_is_cancelled_once(orders: Any) -> None:
    order = place(orders)
    cancel(orders, order.id)
    request = pb.CancelOrderRequest(id=order.id, request_id=new_id())
    assert refused(orders.CancelOrder, request) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_CANCELLABLE", [])


def test_pages_hold_every_order_once_newest_first_on_either_instance(instances: tuple[Any, Any]) -> None:
    customer = new_id()
    placed = [place(instances[number % 2], customer=customer).id for number in range(5)]
    seen: list[str] = []
    token = ""
    for number in range(3):
        request = pb.ListOrdersRequest(page_size=2, page_token=token, customer_id=customer)
        page = instances[number % 2].ListOrders(request, timeout=DEADLINE)
        seen += [order.id for order in page.orders]
        token = page.next_page_token
    assert seen == placed[::-1]
    assert token == ""


def test_a_page_holds_twenty_orders_when_nothing_is_said(orders: Any) -> None:
    customer = new_id()
    for _ in range(21):
        place(orders, customer=customer)
    page = orders.ListOrders(pb.ListOrdersRequest(customer_id=customer), timeout=DEADLINE)
    assert len(page.orders) == 20
    assert page.next_page_token


def test_a_token_of_another_list_is_refused(orders: Any) -> None:
    customer = new_id()
    for _ in range(2):
        place(orders, customer=customer)
    token = orders.ListOrders(pb.ListOrdersRequest(customer_id=customer, page_size=1), timeout=DEADLINE).next_page_token
    expected: tuple[object, ...] = (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", ["page_token"])
    assert refused(orders.ListOrders, pb.ListOrdersRequest(page_token=token)) == expected
    assert refused(orders.ListOrders, pb.ListOrdersRequest(page_token="nonsense", customer_id=customer)) == expected


def test_a_watch_sees_a_change_on_the_other_instance_and_ends(instances: tuple[Any, Any]) -> None:
    order = place(instances[0])
    watch = instances[0].WatchOrder(pb.WatchOrderRequest(id=order.id), timeout=DEADLINE)
    first = next(watch).change
    cancelled = cancel(instances[1], order.id)
    assert [first, *(response.change for response in watch)] == list(cancelled.history)


def test_a_watch_resumes_after_the_last_change_that_was_seen(orders: Any) -> None:
    order = place(orders)
    cancel(orders, order.id)
    watch = orders.WatchOrder(pb.WatchOrderRequest(id=order.id, after_sequence=1), timeout=DEADLINE)
    assert [response.change.sequence for response in watch] == [2]


def test_a_watch_of_an_unknown_order_is_refused(orders: Any) -> None:
    request = pb.WatchOrderRequest(id=new_id())
    assert refused(lambda *args, **kwargs: list(orders.WatchOrder(*args, **kwargs)), request) == (
        grpc.StatusCode.NOT_FOUND,
        "ORDER_NOT_FOUND",
        [],
    )


def test_the_catalog_gets_part_of_the_time_that_is_left(orders: Any, catalog: Any) -> None:
    catalog.time_left.clear()
    request = pb.PlaceOrderRequest(
        request_id=new_id(), customer_id="ada", items=[pb.OrderItem(product_id="blue-cup", quantity=1)]
    )
    orders.PlaceOrder(request, timeout=3)
    (time_left,) = catalog.time_left
    assert 0 < time_left < 1.9  # without a share of 60 % it would be the catalog's patience, 2 s


ITEM = pb.OrderItem(product_id="blue-cup", quantity=1)
UUID = "7f8d9d5e-0d3c-4f8e-9b1a-5f9f2d1c0b3a"
BAD_ORDERS = {
    "nothing": (pb.PlaceOrderRequest(), ["request_id", "customer_id", "items"]),
    "no UUID": (pb.PlaceOrderRequest(request_id="1", customer_id="ada", items=[ITEM]), ["request_id"]),
    "over-long customer": (pb.PlaceOrderRequest(request_id=UUID, customer_id="a" * 65, items=[ITEM]), ["customer_id"]),
    "NUL in a customer": (pb.PlaceOrderRequest(request_id=UUID, customer_id="a\x00", items=[ITEM]), ["customer_id"]),
    "no items": (pb.PlaceOrderRequest(request_id=UUID, customer_id="ada"), ["items"]),
    "negative and none": (
        pb.PlaceOrderRequest(
            request_id=UUID,
            customer_id="ada",
            items=[pb.OrderItem(product_id="a", quantity=-1), ITEM, pb.OrderItem(product_id="b")],
        ),
        ["items[0].quantity", "items[2].quantity"],
    ),
    "too many": (
        pb.PlaceOrderRequest(request_id=UUID, customer_id="ada", items=[pb.OrderItem(product_id="a", quantity=1001)]),
        ["items[0].quantity"],
    ),
    "empty product": (
        pb.PlaceOrderRequest(request_id=UUID, customer_id="ada", items=[pb.OrderItem(quantity=1)]),
        ["items[0].product_id"],
    ),
    "NUL in a product": (
        pb.PlaceOrderRequest(request_id=UUID, customer_id="ada", items=[pb.OrderItem(product_id="\x00", quantity=1)]),
        ["items[0].product_id"],
    ),
    "a product twice": (pb.PlaceOrderRequest(request_id=UUID, customer_id="ada", items=[ITEM, ITEM]), ["items"]),
    "10,000 lines": (
        pb.PlaceOrderRequest(
            request_id=UUID,
            customer_id="ada",
            items=[pb.OrderItem(product_id=str(number), quantity=1) for number in range(10_000)],
        ),
        ["items"],
    ),
}


@pytest.mark.parametrize(("request_", "fields"), BAD_ORDERS.values(), ids=BAD_ORDERS.keys())
def test_bad_orders_are_refused_with_their_fields(orders: Any, request_: Any, fields: list[str]) -> None:
    assert refused(orders.PlaceOrder, request_) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields)


BAD_REQUESTS = {
    "GetOrder, empty id": ("GetOrder", pb.GetOrderRequest(), ["id"]),
    "GetOrder, over-long id": ("GetOrder", pb.GetOrderRequest(id="a" * 65), ["id"]),
    "CancelOrder, nothing": ("CancelOrder", pb.CancelOrderRequest(), ["id", "request_id"]),
    "ListOrders, negative size": ("ListOrders", pb.ListOrdersRequest(page_size=-1), ["page_size"]),
    "ListOrders, too many": ("ListOrders", pb.ListOrdersRequest(page_size=101), ["page_size"]),
    "ListOrders, over-long token": ("ListOrders", pb.ListOrdersRequest(page_token="a" * 513), ["page_token"]),
    "ListOrders, NUL": ("ListOrders", pb.ListOrdersRequest(customer_id="\x00"), ["customer_id"]),
}


@pytest.mark.parametrize(("method", "request_", "fields"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_requests_are_refused_with_their_fields(orders: Any, method: str, request_: Any, fields: list[str]) -> None:
    assert refused(getattr(orders, method), request_) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        fields,
    )


def test_a_watch_after_a_negative_sequence_is_refused(orders: Any) -> None:
    request = pb.WatchOrderRequest(id=new_id(), after_sequence=-1)
    status, reason, fields = refused(lambda *args, **kwargs: list(orders.WatchOrder(*args, **kwargs)), request)
    assert (status, reason, fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["after_sequence"])


@pytest.mark.parametrize("id_", ["7f8d9d5e-0d3c-4f8e-9b1a-5f9f2d1c0b3a", "no-uuid", "a\x00", "☃", "{" + UUID + "}"])
def test_unknown_ids_are_not_found(orders: Any, id_: str) -> None:
    expected: tuple[object, ...] = (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", [])
    assert refused(orders.GetOrder, pb.GetOrderRequest(id=id_)) == expected
    assert refused(orders.CancelOrder, pb.CancelOrderRequest(id=id_, request_id=new_id())) == expected


def test_a_message_over_4_mib_is_refused(orders: Any) -> None:
    request = pb.PlaceOrderRequest(request_id=UUID, customer_id="a" * (4 * 2**20))
    with pytest.raises(grpc.RpcError) as caught:
        orders.PlaceOrder(request, timeout=DEADLINE)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
