"""Following an order over two instances, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from harness.postgres import PostgresServer
from orders.changes import ChangeFeed, changes_of, open_feed
from orders.domain import (
    Item,
    Order,
    OrderNotFoundError,
    OrderState,
    Product,
    StateChange,
    cancel_request,
    place,
    place_request,
)
from orders.money import Money
from orders.opening import prepare
from orders.store import Store, StoreUnavailableError, open_store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CUP = Product("blue-cup", "Blue cup", Money.of("EUR", 7, 50_000_000))
PATIENCE = 30


@dataclass
class Instance:
    store: Store
    feed: ChangeFeed

    async def place(self) -> Order:
        items = [Item("blue-cup", 1)]
        order = place(uuid4(), customer_id="ada", items=items, products=[CUP], time=NOW)
        return await self.store.place(place_request(uuid4(), customer_id="ada", items=items), order)

    async def cancel(self, order: Order) -> None:
        await self.store.cancel(cancel_request(uuid4(), order_id=order.id), order.id, time=NOW)

    def follow(self, order: Order, after: int = 0) -> AsyncGenerator[StateChange, None]:
        return changes_of(order.id, after_sequence=after, store=self.store, feed=self.feed)


async def _instance(stack: AsyncExitStack, url: str) -> Instance:
    await prepare(url)
    store = await stack.enter_async_context(open_store(url, patience=PATIENCE))
    return Instance(store, await stack.enter_async_context(open_feed(url)))


@pytest.fixture
async def instances(url: str) -> AsyncIterator[tuple[Instance, Instance]]:
    async with AsyncExitStack() as stack:
        yield await _instance(stack, url), await _instance(stack, url)


async def sequences(changes: AsyncIterator[StateChange]) -> list[int]:
    async with asyncio.timeout(PATIENCE):
        return [change.sequence async for change in changes]


async def test_a_change_on_another_instance_arrives_and_ends_the_stream(instances: tuple[Instance, Instance]) -> None:
    here, there = instances
    order = await here.place()
    changes = here.follow(order)
    async with asyncio.timeout(PATIENCE):
        first = await anext(changes)
    await there.cancel(order)
    assert first == StateChange(1, OrderState.PLACED, NOW)
    assert await sequences(changes) == [2]


async def test_an_order_in_a_final_state_gives_its_history_and_ends(instances: tuple[Instance, Instance]) -> None:
    here, there = instances
    order = await here.place()
    await here.cancel(order)
    assert await sequences(there.follow(order)) == [1, 2]


@pytest.mark.parametrize(("after", "expected"), [(0, [1, 2]), (1, [2]), (2, []), (99, [])])
async def test_only_changes_after_the_given_one_are_sent(
    instances: tuple[Instance, Instance], after: int, expected: list[int]
) -> None:
    here, _ = instances
    order = await here.place()
    await here.cancel(order)
    assert await sequences(here.follow(order, after)) == expected


async def test_an_unknown_order_is_not_found(instances: tuple[Instance, Instance]) -> None:
    here, _ = instances
    order = Order(id=uuid4(), customer_id="", lines=(await here.place()).lines, history=())
    with pytest.raises(OrderNotFoundError):
        await sequences(here.follow(order))


async def test_a_change_between_the_first_look_and_the_wait_is_not_missed(
    instances: tuple[Instance, Instance],
) -> None:
    """The order changes while the follower still holds its first change."""
    here, there = instances
    for _ in range(20):
        order = await here.place()
        changes = here.follow(order)
        async with asyncio.timeout(PATIENCE):
            await anext(changes)
            await there.cancel(order)
        assert await sequences(changes) == [2]


@pytest.mark.parametrize(
    ("error", "level"),
    [(asyncpg.InterfaceError("connection is closed"), "WARNING"), (RuntimeError("not foreseen"), "ERROR")],
)
async def test_following_survives_whatever_keeps_an_instance_from_listening(
    url: str, error: Exception, level: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[str] = []

    async def listen(self: Any, channel: str, callback: Any, listen: Any = asyncpg.Connection.add_listener) -> None:
        tries.append(channel)
        if len(tries) == 1:
            raise error
        await listen(self, channel, callback)

    monkeypatch.setattr(asyncpg.Connection, "add_listener", listen)
    async with AsyncExitStack() as stack:
        here = await _instance(stack, url)
        order = await here.place()
        changes = here.follow(order)
        await anext(changes)
        await here.cancel(order)
        assert await sequences(changes) == [2]
    assert [record.levelname for record in caplog.records if record.name == "orders.changes"] == [level]


async def test_who_stops_following_leaves_nothing_behind(instances: tuple[Instance, Instance]) -> None:
    here, _ = instances
    async with aclosing(here.follow(await here.place())) as changes:
        await anext(changes)
        assert here.feed.followers == 1
    assert here.feed.followers == 0


async def test_following_survives_a_restart_of_postgres(postgres: PostgresServer, mortal_url: str) -> None:
    """The change is made while the listening connection is still away: it must be found by looking."""
    async with AsyncExitStack() as stack:
        here = await _instance(stack, mortal_url)
        order = await here.place()
        changes = here.follow(order)
        await anext(changes)
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)
        await here.cancel(order)
        assert await sequences(changes) == [2]


async def test_following_cannot_begin_while_postgres_is_away(postgres: PostgresServer, mortal_url: str) -> None:
    async with AsyncExitStack() as stack:
        here = await _instance(stack, mortal_url)
        order = await here.place()
        await asyncio.to_thread(postgres.kill)
        with pytest.raises(StoreUnavailableError):
            await sequences(here.follow(order))
