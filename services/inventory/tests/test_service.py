"""What is reserved by one is never promised to another: asked of two instances that share a database."""

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import PreconditionFailure
from grpc_status.rpc_status import from_call
from harness.refusals import Refusal, refusal

from shop.inventory.v1 import inventory_pb2 as pb

HELD, COMMITTED, RELEASED = (
    pb.RESERVATION_STATE_HELD,
    pb.RESERVATION_STATE_COMMITTED,
    pb.RESERVATION_STATE_RELEASED,
)


def request(*items: tuple[str, int], hold: float | None = None, request_id: str = "") -> pb.ReserveRequest:
    asked = pb.ReserveRequest(request_id=request_id or str(uuid.uuid4()))
    for product_id, quantity in items:
        asked.items.add(product_id=product_id, quantity=quantity)
    if hold is not None:
        asked.hold.FromMilliseconds(int(hold * 1000))
    return asked


def reserved(stub: Any, *items: tuple[str, int], hold: float | None = None) -> pb.Reservation:
    return stub.Reserve(request(*items, hold=hold), timeout=20).reservation


def refused(call: Callable[..., Any], message: Any) -> Refusal:
    with pytest.raises(grpc.RpcError) as failure:
        call(message, timeout=20)
    return refusal(failure.value, "shop.inventory.v1")


def test_what_the_catalog_sells_is_in_stock_from_the_start(one: Any) -> None:
    answer = one.GetStock(pb.GetStockRequest(product_ids=["nothing-known", "alpaca-throw"]), timeout=20)
    assert [(each.product_id, each.available, each.reserved) for each in answer.stock] == [("alpaca-throw", 10000, 0)]
    assert list(answer.missing_ids) == ["nothing-known"]


def test_fifty_buyers_of_the_last_ten_pieces_from_two_instances_get_exactly_ten(
    instances: tuple[Any, Any], product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    last = product(10)

    def buy(stub: Any) -> str:
        try:
            reservation = reserved(stub, (last, 1))
        except grpc.RpcError as error:
            return error.code().name
        return pb.ReservationState.Name(stub.Commit(pb.CommitRequest(id=reservation.id), timeout=20).reservation.state)

    with ThreadPoolExecutor(50) as buyers:
        bought = Counter(buyers.map(buy, [stub for stub, _ in zip(cycle(instances), range(50), strict=False)]))
    assert bought == {"RESERVATION_STATE_COMMITTED": 10, "FAILED_PRECONDITION": 40}
    assert counted(last) == (0, 0, 10)


def test_pieces_add_up_whatever_many_do_at_once(
    instances: tuple[Any, Any], product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    """In any order of products, and with reservations that expire on the way: nobody waits in a circle."""
    products = [product(30) for _ in range(4)]

    def act(seed: int) -> str:
        dice = random.Random(seed)
        items = [(name, dice.randint(1, 3)) for name in dice.sample(products, 3)]
        stub, other = dice.sample(instances, 2)
        try:
            made = reserved(stub, *items, hold=dice.choice([1, 60]))
            ends = dice.choice([lambda: other.Commit(pb.CommitRequest(id=made.id), timeout=20),
                                lambda: other.Release(pb.ReleaseRequest(id=made.id), timeout=20),
                                lambda: None])  # fmt: skip
            ends()
        except grpc.RpcError as error:
            return error.code().name
        return "OK"

    with ThreadPoolExecutor(8) as people:
        outcomes = Counter(people.map(act, range(200)))
    assert outcomes.keys() <= {"OK", "FAILED_PRECONDITION"}, outcomes
    assert outcomes["OK"] > 20
    for name in products:
        available, put_aside, sold = counted(name)
        assert available + put_aside + sold == 30
        assert min(available, put_aside, sold) >= 0


def test_all_is_reserved_or_nothing(one: Any, product: Callable[[int], str], counted: Callable[..., Any]) -> None:
    plenty, few = product(100), product(2)
    with pytest.raises(grpc.RpcError) as error:
        one.Reserve(request((plenty, 3), (few, 3)), timeout=20)
    assert refusal(error.value, "shop.inventory.v1")[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK")
    failure = PreconditionFailure()
    assert from_call(error.value).details[1].Unpack(failure)
    assert [(each.type, each.subject, each.description) for each in failure.violations] == [
        ("STOCK", few, "2 available")
    ]
    assert counted(plenty) == (100, 0, 0)


def test_unknown_products_are_named(one: Any, product: Callable[[int], str]) -> None:
    answer = refused(one.Reserve, request((product(1), 1), ("nothing-known", 1)))
    assert answer == (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", [], {"product_ids": "nothing-known"})


def test_a_repeated_request_gets_the_first_answer_from_either_instance(
    one: Any, two: Any, product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    name = product(5)
    asked = request((name, 2))
    first = one.Reserve(asked, timeout=20).reservation
    one.Commit(pb.CommitRequest(id=first.id), timeout=20)
    assert two.Reserve(asked, timeout=20).reservation == first
    assert first.state == HELD
    assert counted(name) == (3, 0, 2)
    answer = refused(two.Reserve, request((name, 1), request_id=asked.request_id))
    assert answer[:2] == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_one_request_sent_many_times_at_once_reserves_once(
    instances: tuple[Any, Any], product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    name = product(5)
    asked = request((name, 2))
    with ThreadPoolExecutor(10) as many:
        answers = list(many.map(lambda number: instances[number % 2].Reserve(asked, timeout=20), range(10)))
    assert len({answer.reservation.id for answer in answers}) == 1
    assert counted(name) == (3, 2, 0)


def test_committing_and_releasing_may_be_repeated_and_exclude_each_other(
    one: Any, two: Any, product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    name = product(5)
    sold, freed = reserved(one, (name, 2)), reserved(one, (name, 1))
    for stub in (one, two):
        assert stub.Commit(pb.CommitRequest(id=sold.id), timeout=20).reservation.state == COMMITTED
        assert stub.Release(pb.ReleaseRequest(id=freed.id), timeout=20).reservation.state == RELEASED
    assert counted(name) == (3, 0, 2)
    for call, message in ((two.Release, pb.ReleaseRequest(id=sold.id)), (two.Commit, pb.CommitRequest(id=freed.id))):
        answer = refused(call, message)
        assert answer[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_ENDED")
    answer = refused(one.Commit, pb.CommitRequest(id=str(uuid.uuid4())))
    assert answer[:2] == (grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND")


def test_a_reservation_that_nobody_commits_expires(
    one: Any, two: Any, product: Callable[[int], str], counted: Callable[..., Any]
) -> None:
    name = product(5)
    late = reserved(one, (name, 5), hold=1)
    assert refused(two.Reserve, request((name, 1))).reason == "OUT_OF_STOCK"
    end = time.monotonic() + 20
    while not (stock := two.GetStock(pb.GetStockRequest(product_ids=[name]), timeout=20).stock[0]).available:
        assert time.monotonic() < end
    assert (stock.available, stock.reserved) == (5, 0)
    assert reserved(two, (name, 4)).state == HELD
    assert refused(one.Commit, pb.CommitRequest(id=late.id)).reason == "RESERVATION_ENDED"
    assert one.Release(pb.ReleaseRequest(id=late.id), timeout=20).reservation.state == pb.RESERVATION_STATE_EXPIRED
    assert counted(name) == (1, 4, 0)


def test_what_breaks_the_contract_is_named(one: Any) -> None:
    answer = refused(one.Reserve, request(("cup", 0), ("cup", 1)))
    assert answer[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert set(answer.fields) == {"items[0].quantity", "items"}


def test_a_stop_is_orderly(start: Callable[[str], Any], prepared: str) -> None:
    instance = start(prepared)
    instance.connect()
    assert instance.stop() == 0


def test_without_a_database_it_says_what_it_expects(start: Callable[[str], Any]) -> None:
    instance = start("mysql://nobody")
    assert instance.process.wait(60) == 64
    assert "DATABASE_URL: expected postgresql://role:password@host:port/database" in instance.log.read_text()


def test_while_postgresql_hangs_callers_are_told(one: Any, postgres: Any, product: Callable[[int], str]) -> None:
    name = product(1)
    postgres.pause()
    try:
        assert refused(one.Reserve, request((name, 1)))[:2] == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    finally:
        postgres.resume()
    end = time.monotonic() + 30
    while (code := reserve_code(one, name)) != grpc.StatusCode.OK:
        assert code == grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() < end


def reserve_code(stub: Any, name: str) -> grpc.StatusCode:
    return stub.Reserve.future(request((name, 1)), timeout=20).code()
