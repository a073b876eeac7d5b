"""The store on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from uuid import UUID, uuid4

import pytest
from orders.domain import (
    Item,
    Order,
    OrderNotCancellableError,
    OrderNotFoundError,
    OrderState,
    Product,
    Request,
    RequestIdReusedError,
    cancel_request,
    place,
    place_request,
)
from orders.money import Money
from orders.opening import prepare
from orders.page_token import Position
from orders.store import Store, open_store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ITEMS = [Item("blue-cup", 2), Item("brass-desk-lamp", 1)]
PRODUCTS = [
    Product("brass-desk-lamp", "Brass desk lamp", Money.of("EUR", 2**40, 900_000_001)),
    Product("blue-cup", "Blue cup ☕", Money.of("EUR", 7, 50_000_000)),
]


PATIENCE = 30.0  # none of these tests is about how long anything takes


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    await prepare(url)
    async with open_store(url, patience=PATIENCE) as store:
        yield store


@pytest.fixture
async def other_store(url: str) -> AsyncIterator[Store]:
    """The store of another instance, on the same database."""
    await prepare(url)
    async with open_store(url, patience=PATIENCE) as other:
        yield other


def new_order(customer_id: str = "ada", time: datetime = NOW) -> Order:
    return place(uuid4(), customer_id=customer_id, items=ITEMS, products=PRODUCTS, time=time)


def new_request(request_id: UUID | None = None, customer_id: str = "ada") -> Request:
    return place_request(request_id or uuid4(), customer_id=customer_id, items=ITEMS)


async def placed(store: Store, customer_id: str = "ada", time: datetime = NOW) -> Order:
    return await store.place(new_request(customer_id=customer_id), new_order(customer_id, time))


async def placed_at_once(stores: Sequence[Store], requests: Sequence[Request]) -> list[Order]:
    """Place an order for each request, all at once, in turn on each of the stores."""
    pairs = zip(cycle(stores), requests, strict=False)
    return await asyncio.gather(*(store.place(request, new_order()) for store, request in pairs))


async def test_what_was_placed_is_read_back_whole(store: Store) -> None:
    order = await placed(store)
    assert await store.get(order.id) == order


async def test_an_unknown_order_is_not_found(store: Store) -> None:
    with pytest.raises(OrderNotFoundError):
        await store.get(uuid4())


async def test_a_new_request_has_no_answer(store: Store) -> None:
    assert await store.answer(new_request()) is None


async def test_a_repeated_request_gets_the_first_order(store: Store) -> None:
    request, first = new_request(), new_order()
    await store.place(request, first)
    assert await store.place(request, new_order()) == first
    assert await store.answer(request) == first
    assert await store.newest(customer_id="", after=None, limit=10) == [first]


async def test_the_first_answer_stays_when_the_order_changes(store: Store) -> None:
    request, order = new_request(), new_order()
    await store.place(request, order)
    await store.cancel(cancel_request(uuid4(), order_id=order.id), order.id, time=NOW)
    assert await store.answer(request) == order


async def test_a_request_id_with_other_content_is_refused(store: Store) -> None:
    request_id = uuid4()
    await store.place(new_request(request_id), new_order())
    other = new_request(request_id, customer_id="bob")
    with pytest.raises(RequestIdReusedError):
        await store.answer(other)
    with pytest.raises(RequestIdReusedError):
        await store.place(other, new_order("bob"))
    assert await store.newest(customer_id="bob", after=None, limit=10) == []


async def test_two_instances_with_one_request_at_once_make_one_order(store: Store, other_store: Store) -> None:
    request = new_request()
    answers = await placed_at_once([store, other_store], [request] * 16)
    assert len({answer.id for answer in answers}) == 1
    assert await store.newest(customer_id="", after=None, limit=20) == [answers[0]]


async def test_two_instances_with_many_requests_at_once_make_an_order_for_each(
    store: Store, other_store: Store
) -> None:
    """The control of the test above: nothing but the request's id keeps orders from coming about side by side."""
    await placed_at_once([store, other_store], [new_request() for _ in range(16)])
    assert len(await store.newest(customer_id="", after=None, limit=20)) == 16


async def test_two_contents_of_one_request_id_at_once_make_one_order(store: Store, other_store: Store) -> None:
    request_id = uuid4()
    answers = await asyncio.gather(
        store.place(new_request(request_id), new_order()),
        other_store.place(new_request(request_id, "bob"), new_order("bob")),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {Order, RequestIdReusedError}
    assert len(await store.newest(customer_id="", after=None, limit=10)) == 1


async def test_cancelling_is_kept(store: Store) -> None:
    order, time = await placed(store), NOW + timedelta(hours=1)
    cancelled = await store.cancel(cancel_request(uuid4(), order_id=order.id), order.id, time=time)
    assert cancelled == order.cancelled(time=time)
    assert await store.get(order.id) == cancelled


async def test_a_repeated_cancellation_gets_the_first_answer(store: Store) -> None:
    order = await placed(store)
    request = cancel_request(uuid4(), order_id=order.id)
    first = await store.cancel(request, order.id, time=NOW)
    assert await store.cancel(request, order.id, time=NOW + timedelta(hours=1)) == first


async def test_another_cancellation_is_refused(store: Store) -> None:
    order = await placed(store)
    await store.cancel(cancel_request(uuid4(), order_id=order.id), order.id, time=NOW)
    with pytest.raises(OrderNotCancellableError):
        await store.cancel(cancel_request(uuid4(), order_id=order.id), order.id, time=NOW)


async def test_cancelling_an_unknown_order_leaves_its_request_free(store: Store) -> None:
    request_id, order = uuid4(), await placed(store)
    with pytest.raises(OrderNotFoundError):
        await store.cancel(cancel_request(request_id, order_id=uuid4()), uuid4(), time=NOW)
    assert await store.cancel(cancel_request(request_id, order_id=order.id), order.id, time=NOW)


async def test_two_instances_with_one_cancellation_at_once_change_the_order_once(
    store: Store, other_store: Store
) -> None:
    order = await placed(store)
    request = cancel_request(uuid4(), order_id=order.id)
    answers = await asyncio.gather(
        *(
            each.cancel(request, order.id, time=NOW + timedelta(seconds=n))
            for n, each in enumerate([store, other_store] * 8)
        )
    )
    assert {answer.history for answer in answers} == {(await store.get(order.id)).history}
    assert [change.state for change in answers[0].history] == [OrderState.PLACED, OrderState.CANCELLED]


async def test_one_request_id_cancels_one_of_two_orders_at_once(store: Store, other_store: Store) -> None:
    one, two, request_id = await placed(store), await placed(store), uuid4()
    answers = await asyncio.gather(
        store.cancel(cancel_request(request_id, order_id=one.id), one.id, time=NOW),
        other_store.cancel(cancel_request(request_id, order_id=two.id), two.id, time=NOW),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {Order, RequestIdReusedError}
    states = sorted([(await store.get(one.id)).state, (await store.get(two.id)).state])
    assert states == [OrderState.PLACED, OrderState.CANCELLED]


async def test_a_request_id_that_placed_an_order_cannot_cancel_one(store: Store) -> None:
    request, order = new_request(), new_order()
    await store.place(request, order)
    with pytest.raises(RequestIdReusedError):
        await store.cancel(cancel_request(request.id, order_id=order.id), order.id, time=NOW)


async def test_orders_are_listed_newest_first_of_one_customer_or_of_all(store: Store) -> None:
    old = await placed(store, "ada", NOW)
    new = await placed(store, "ada", NOW + timedelta(seconds=2))
    bobs = await placed(store, "bob", NOW + timedelta(seconds=1))
    assert await store.newest(customer_id="", after=None, limit=10) == [new, bobs, old]
    assert await store.newest(customer_id="ada", after=None, limit=10) == [new, old]
    assert await store.newest(customer_id="nobody", after=None, limit=10) == []


async def test_pages_join_without_a_gap_also_for_orders_of_one_moment(store: Store) -> None:
    expected = {(await placed(store)).id for _ in range(7)}
    seen: list[UUID] = []
    after = None
    while page := await store.newest(customer_id="", after=after, limit=3):
        seen += [order.id for order in page]
        after = Position(page[-1].create_time, page[-1].id)
    assert len(seen) == 7
    assert set(seen) == expected


async def test_a_page_is_not_moved_by_orders_that_come_in_between(store: Store) -> None:
    orders = [await placed(store, time=NOW + timedelta(seconds=n)) for n in range(4)]
    first = await store.newest(customer_id="", after=None, limit=2)
    await placed(store, time=NOW + timedelta(minutes=1))
    second = await store.newest(customer_id="", after=Position(first[-1].create_time, first[-1].id), limit=2)
    assert first + second == orders[::-1]


async def test_an_order_of_a_failed_transaction_leaves_nothing(store: Store) -> None:
    """The second order has the first one's id, so writing it fails half way; its request must stay free."""
    order, request = await placed(store), new_request()
    with pytest.raises(Exception, match="duplicate key"):
        await store.place(request, order)
    assert await store.answer(request) is None
