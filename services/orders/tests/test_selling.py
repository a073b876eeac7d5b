"""Pieces are taken for orders that are placed, and for no others, whatever fails or is killed on the way."""

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from google.type.money_pb2 import Money
from grpc_status import rpc_status

from shop.inventory.v1 import inventory_pb2
from shop.orders.v1 import orders_pb2 as pb

DEADLINE, PATIENCE = 20, 60
HELD = inventory_pb2.RESERVATION_STATE_HELD
COMMITTED = inventory_pb2.RESERVATION_STATE_COMMITTED
RELEASED = inventory_pb2.RESERVATION_STATE_RELEASED


@pytest.fixture
def inventory(catalog: Any) -> Iterator[Any]:
    """The inventory, of which a test may take pieces and methods away; whole again afterwards."""
    peer = catalog.inventory
    peer.states.clear()
    peer.refused.clear()
    yield peer
    peer.pieces.clear()
    peer.away.clear()
    peer.committing.set()


@pytest.fixture
def tax(catalog: Any) -> Iterator[Any]:
    yield catalog.tax
    catalog.tax.away = False
    catalog.tax.answering.set()


def request(**changes: Any) -> pb.PlaceOrderRequest:
    items = [pb.OrderItem(product_id="blue-cup", quantity=2), pb.OrderItem(product_id="brass-desk-lamp", quantity=1)]
    return pb.PlaceOrderRequest(**{"request_id": str(uuid.uuid4()), "customer_id": "ada", "items": items, **changes})


def refused(call: Callable[..., Any], wanted: Any) -> tuple[str, str, list[str]]:
    with pytest.raises(grpc.RpcError) as caught:
        call(wanted, timeout=DEADLINE)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in rpc_status.from_call(caught.value).details:
        detail.Unpack(info) or detail.Unpack(bad)
    return caught.value.code().name, info.reason, [each.field for each in bad.field_violations]


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def states(inventory: Any) -> list[int]:
    return list(inventory.states.values())


def test_an_order_has_the_taxes_of_its_place_and_takes_its_pieces(orders: Any, inventory: Any, tax: Any) -> None:
    order = orders.PlaceOrder(request(country="FR", subdivision="FR-75"), timeout=DEADLINE).order
    assert [(line.tax_percent, line.tax.units, line.tax.nanos) for line in order.lines] == [
        ("20", 2, 820_000_000),  # of 14.10
        ("20", 9, 980_000_000),  # of 49.90
    ]
    assert order.tax == Money(currency_code="EUR", units=12, nanos=800_000_000)
    assert order.gross == Money(currency_code="EUR", units=76, nanos=800_000_000)
    assert (order.country, order.subdivision) == ("FR", "FR-75")
    assert orders.GetOrder(pb.GetOrderRequest(id=order.id), timeout=DEADLINE).order == order
    assert states(inventory) == [COMMITTED]
    assert inventory.holds[-1] == 600
    assert tax.categories == ["kitchen", "kitchen"]


@pytest.mark.usefixtures("inventory", "tax")
def test_an_order_that_says_nothing_is_delivered_at_home(orders: Any) -> None:
    assert orders.PlaceOrder(request(), timeout=DEADLINE).order.country == "AT"


def test_too_few_pieces_are_refused_by_their_field(orders: Any, inventory: Any) -> None:
    inventory.pieces["brass-desk-lamp"] = 0
    assert refused(orders.PlaceOrder, request()) == ("FAILED_PRECONDITION", "OUT_OF_STOCK", ["items[1].quantity"])
    assert states(inventory) == []


def test_while_the_inventory_is_away_nothing_is_placed(orders: Any, inventory: Any) -> None:
    inventory.away = {"Reserve"}
    assert refused(orders.PlaceOrder, request()) == ("UNAVAILABLE", "INVENTORY_UNAVAILABLE", [])


def test_pieces_go_back_when_taxes_can_not_be_asked_for(orders: Any, inventory: Any, tax: Any) -> None:
    tax.away = True
    assert refused(orders.PlaceOrder, request()) == ("UNAVAILABLE", "TAX_UNAVAILABLE", [])
    eventually(lambda: states(inventory) == [RELEASED])


@pytest.mark.usefixtures("tax")
def test_pieces_go_back_when_the_taxes_of_a_place_are_not_known(orders: Any, inventory: Any) -> None:
    assert refused(orders.PlaceOrder, request(country="ZZ")) == ("NOT_FOUND", "RATES_NOT_KNOWN", ["country"])
    eventually(lambda: states(inventory) == [RELEASED])


def test_control_pieces_that_nobody_gives_back_stay_away(orders: Any, inventory: Any, tax: Any) -> None:
    """Else all that goes back might do so by itself; this one's expiry would bring them, after ten minutes."""
    inventory.away, tax.away = {"Release"}, True
    assert refused(orders.PlaceOrder, request()) == ("UNAVAILABLE", "TAX_UNAVAILABLE", [])
    eventually(lambda: "Release" in inventory.refused)
    assert (states(inventory), inventory.holds[-1]) == ([HELD], 600)


def test_pieces_go_back_when_the_caller_goes_away(orders: Any, inventory: Any, tax: Any) -> None:
    tax.answering.clear()
    call = orders.PlaceOrder.future(request(), timeout=DEADLINE)
    eventually(lambda: states(inventory) == [HELD])
    call.cancel()
    eventually(lambda: states(inventory) == [RELEASED])


def test_a_request_at_once_on_both_instances_takes_its_pieces_once(instances: tuple[Any, Any], inventory: Any) -> None:
    wanted = request()
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda n: instances[n % 2].PlaceOrder(wanted, timeout=DEADLINE).order.id, range(8)))
    assert len(set(answers)) == 1
    eventually(lambda: HELD not in states(inventory))
    assert states(inventory).count(COMMITTED) == 1


def test_pieces_are_taken_later_when_the_inventory_was_away(orders: Any, inventory: Any) -> None:
    inventory.away = {"Commit"}
    order = orders.PlaceOrder(request(), timeout=DEADLINE).order
    assert (order.state, states(inventory)) == (pb.ORDER_STATE_PLACED, [HELD])
    inventory.away = set()
    eventually(lambda: states(inventory) == [COMMITTED])


def test_an_order_whose_pieces_went_back_too_early_is_cancelled(orders: Any, inventory: Any) -> None:
    inventory.away = {"Commit"}
    order = orders.PlaceOrder(request(), timeout=DEADLINE).order
    for reservation in inventory.states:
        inventory.states[reservation] = inventory_pb2.RESERVATION_STATE_EXPIRED
    inventory.away = set()
    watch = orders.WatchOrder(pb.WatchOrderRequest(id=order.id, after_sequence=1), timeout=PATIENCE)
    assert [each.change.state for each in watch] == [pb.ORDER_STATE_CANCELLED]


def test_another_instance_takes_the_pieces_when_one_is_killed_after_it_stored_an_order(
    start_orders: Callable[..., Any], url: str, catalog: Any, inventory: Any
) -> None:
    doomed, other = (start_orders(url, catalog.address) for _ in range(2))
    stubs = doomed.connect(), other.connect()
    inventory.committing.clear()
    wanted = request()
    call = stubs[0].PlaceOrder.future(wanted, timeout=DEADLINE)
    eventually(lambda: list(stubs[1].ListOrders(pb.ListOrdersRequest(), timeout=DEADLINE).orders))
    doomed.process.send_signal(signal.SIGKILL)
    assert call.code() == grpc.StatusCode.UNAVAILABLE
    inventory.committing.set()
    eventually(lambda: states(inventory) == [COMMITTED])
    assert stubs[1].PlaceOrder(wanted, timeout=DEADLINE).order.state == pb.ORDER_STATE_PLACED
    assert states(inventory) == [COMMITTED]
