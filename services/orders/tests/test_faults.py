"""What the service does while PostgreSQL or the catalog is away, seen by a caller: real processes, killed with -9."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from harness.postgres import PostgresServer

from shop.orders.v1 import orders_pb2 as pb

DEADLINE = 30
RECOVERY = 5
PATIENCE = 30
AWAY = (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
CATALOG_AWAY = (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE")


def request() -> pb.PlaceOrderRequest:
    items = [pb.OrderItem(product_id="blue-cup", quantity=1)]
    return pb.PlaceOrderRequest(request_id=str(uuid.uuid4()), customer_id=str(uuid.uuid4()), items=items)


def reason(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    if status:
        status.details[0].Unpack(info)
    return error.code(), info.reason


def failure(call: Any, *args: Any, timeout: float = DEADLINE) -> tuple[grpc.StatusCode, str]:
    """How a call failed. With a reason the service said so itself, and so before the deadline."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, timeout=timeout)
    return reason(caught.value)


def until_it_works(call: Callable[[], Any], within: float) -> Any:
    """Call again and again; every refusal on the way must say that the store is away."""
    end = time.monotonic() + within
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if reason(error) != AWAY or time.monotonic() > end:
                raise
            threading.Event().wait(0.05)


class Load:
    """Places orders on both instances from several threads, and keeps a ledger of the answers."""

    def __init__(self, instances: tuple[Any, Any]) -> None:
        self.answered: dict[str, pb.Order] = {}
        self.refused: list[tuple[grpc.StatusCode, str]] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(instances[n % 2],)) for n in range(4)]

    def _run(self, orders: Any) -> None:
        while not self._end.is_set():
            wanted = request()
            try:
                self.answered[wanted.request_id] = orders.PlaceOrder(wanted, timeout=DEADLINE).order
            except grpc.RpcError as error:
                self.refused.append(reason(error))

    def wait_for_answers(self, more: int) -> None:
        wanted, end = len(self.answered) + more, time.monotonic() + PATIENCE
        while len(self.answered) < wanted:
            assert time.monotonic() < end, (len(self.answered), self.refused[-3:])
            self._end.wait(0.01)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join(PATIENCE)


@pytest.fixture(scope="module")
def pair(mortal_postgres: PostgresServer, catalog_peer: Any, start_orders: Any) -> tuple[Any, Any]:
    """Clients of two instances that share a database in it."""
    database = mortal_postgres.database("orders")
    one, two = (start_orders(database, catalog_peer.address) for _ in range(2))
    return one.connect(), two.connect()


def test_no_order_that_was_answered_is_lost_when_postgres_is_killed_under_load(
    postgres: PostgresServer, pair: tuple[Any, Any]
) -> None:
    load = Load(pair)
    with load.running():
        load.wait_for_answers(50)
        postgres.kill()
        postgres.start()
        back = time.monotonic()
        load.wait_for_answers(50)
        recovery = time.monotonic() - back
    assert recovery < RECOVERY
    assert set(load.refused) == {AWAY}
    for order in load.answered.values():
        assert pair[0].GetOrder(pb.GetOrderRequest(id=order.id), timeout=DEADLINE).order == order


def test_a_request_that_was_refused_may_be_repeated_and_makes_one_order(
    postgres: PostgresServer, pair: tuple[Any, Any]
) -> None:
    again = request()
    postgres.kill()
    assert failure(pair[0].PlaceOrder, again) == AWAY
    postgres.start()
    orders = {until_it_works(lambda: pair[0].PlaceOrder(again, timeout=DEADLINE).order.id, RECOVERY) for _ in range(3)}
    listed = pair[1].ListOrders(pb.ListOrdersRequest(customer_id=again.customer_id), timeout=DEADLINE).orders
    assert {order.id for order in listed} == orders


def test_every_call_says_that_a_killed_store_is_away(postgres: PostgresServer, pair: tuple[Any, Any]) -> None:
    order = pair[0].PlaceOrder(request(), timeout=DEADLINE).order
    calls = [
        (pair[0].PlaceOrder, request()),
        (pair[0].GetOrder, pb.GetOrderRequest(id=order.id)),
        (pair[0].ListOrders, pb.ListOrdersRequest()),
        (pair[0].CancelOrder, pb.CancelOrderRequest(id=order.id, request_id=str(uuid.uuid4()))),
    ]
    postgres.kill()
    for call in calls:
        assert failure(*call) == AWAY


def test_a_store_that_hangs_is_away_before_the_deadline_and_back_at_once(
    postgres: PostgresServer, pair: tuple[Any, Any]
) -> None:
    pair[0].PlaceOrder(request(), timeout=DEADLINE)
    postgres.pause()
    try:
        assert failure(pair[0].PlaceOrder, request()) == AWAY
    finally:
        postgres.resume()
    assert until_it_works(lambda: pair[0].PlaceOrder(request(), timeout=DEADLINE).order.id, RECOVERY)


def test_a_watch_outlives_a_killed_store(postgres: PostgresServer, pair: tuple[Any, Any]) -> None:
    order = pair[0].PlaceOrder(request(), timeout=DEADLINE).order
    watch = pair[0].WatchOrder(pb.WatchOrderRequest(id=order.id), timeout=PATIENCE)
    assert next(watch).change.sequence == 1
    postgres.kill()
    postgres.start()
    cancellation = pb.CancelOrderRequest(id=order.id, request_id=str(uuid.uuid4()))
    until_it_works(lambda: pair[1].CancelOrder(cancellation, timeout=DEADLINE), RECOVERY)
    assert [response.change.sequence for response in watch] == [2]


def test_without_a_catalog_an_order_is_refused(url: str, start_orders: Any) -> None:
    orders = start_orders(url, "127.0.0.1:1").connect()
    assert failure(orders.PlaceOrder, request()) == CATALOG_AWAY


@pytest.mark.parametrize("timeout", [3, DEADLINE])
def test_a_catalog_that_hangs_is_away_before_the_deadline(
    instances: tuple[Any, Any], catalog: Any, timeout: float
) -> None:
    catalog.answering.clear()
    assert failure(instances[0].PlaceOrder, request(), timeout=timeout) == CATALOG_AWAY


def test_an_instance_ends_in_order_while_the_store_is_away(
    postgres: PostgresServer, start_orders: Any, catalog: Any
) -> None:
    process = start_orders(postgres.database("alone"), catalog.address)
    process.connect().PlaceOrder(request(), timeout=DEADLINE)
    postgres.kill()
    assert process.stop() == 0


def test_an_instance_whose_watchers_went_away_ends_at_once(url: str, start_orders: Any, catalog: Any) -> None:
    """A watch that nobody reads any more would hold the drain for longer than `stop` waits."""
    process = start_orders(url, catalog.address)
    orders = process.connect()
    order = orders.PlaceOrder(request(), timeout=DEADLINE).order
    watch = orders.WatchOrder(pb.WatchOrderRequest(id=order.id), timeout=PATIENCE)
    next(watch)
    watch.cancel()
    assert process.stop() == 0


def test_nothing_unexpected_is_logged_while_the_store_is_away(
    postgres: PostgresServer, start_orders: Any, catalog: Any
) -> None:
    process = start_orders(postgres.database("alone"), catalog.address)
    orders = process.connect()
    postgres.kill()
    failure(orders.PlaceOrder, request())
    process.stop()
    assert "unexpectedly" not in process.log.read_text()
    assert "Traceback" not in process.log.read_text()
