"""A store that hangs: how much of its time a caller loses to it. The service runs in here, with a long patience."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from harness.postgres import PostgresServer, until_blocked
from orders.adapter import Orders
from orders.catalog import Catalog
from orders.changes import open_feed
from orders.connections import transaction
from orders.domain import Item, Order, Product, cancel_request, place, place_request
from orders.inventory import Inventory
from orders.money import Money
from orders.opening import prepare
from orders.selling import Selling
from orders.store import Store, StoreUnavailableError, open_store
from orders.tax import Taxes

from gossamer_kit import Config, Kit
from shop.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from shop.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from shop.orders.v1 import orders_pb2 as pb
from shop.orders.v1.orders_pb2_grpc import OrdersServiceStub, add_OrdersServiceServicer_to_server
from shop.tax.v1.tax_pb2_grpc import TaxServiceStub

PATIENCE = 60.0  # the store's, and of everything that must not take that long
DEADLINE = 5.0  # of a caller: a fifth of it is left for the answer
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CUP = Product("blue-cup", "Blue cup", Money.of("EUR", 7, 50_000_000))
ITEMS = [Item("blue-cup", 1)]


@pytest.fixture
async def store(mortal_url: str) -> AsyncIterator[Store]:
    await prepare(mortal_url)
    async with open_store(mortal_url, patience=PATIENCE) as store:
        yield store


@pytest.fixture
async def order(store: Store) -> Order:
    order = place(uuid4(), customer_id="ada", items=ITEMS, products=[CUP], time=NOW)
    return await store.place(place_request(uuid4(), customer_id="ada", items=ITEMS), order)


@pytest.fixture
async def orders(store: Store, mortal_url: str, catalog: Any) -> AsyncIterator[Any]:
    """A client of the service."""
    others = ",".join(f"{name}={catalog.address}" for name in ("catalog", "inventory", "tax"))
    environment = {"GOSSAMER_SERVICE": "orders", "GOSSAMER_DISCOVERY": f"static:{others}"}
    async with Kit(Config.from_environment(environment)) as kit, open_feed(mortal_url) as feed:
        selling = Selling(
            store=store,
            inventory=Inventory(kit.client(InventoryServiceStub, "inventory"), hold=60),
            taxes=Taxes(kit.client(TaxServiceStub, "tax")),
        )
        prices = Catalog(kit.client(CatalogServiceStub, "catalog"))
        service = Orders(store=store, feed=feed, catalog=prices, selling=selling)
        address = await kit.serve(add_OrdersServiceServicer_to_server, service)
        async with grpc.aio.insecure_channel(address) as channel:
            yield OrdersServiceStub(channel)


@asynccontextmanager
async def locked(url: str, order: Order) -> AsyncIterator[None]:
    """Let whoever wants to change the order wait."""
    holder = await asyncpg.connect(url)
    await holder.execute("BEGIN")
    await holder.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order.id)
    yield
    holder.terminate()


async def reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    if status := await rpc_status.aio.from_call(call):
        status.details[0].Unpack(info)
    return f"{caught.value.code().name} {info.reason}"


async def test_every_call_says_that_the_store_hangs_while_its_caller_still_listens(
    postgres: PostgresServer, orders: Any, order: Order
) -> None:
    postgres.pause()
    item = pb.OrderItem(product_id="blue-cup", quantity=1)
    calls = [
        orders.PlaceOrder(
            pb.PlaceOrderRequest(request_id=str(uuid4()), customer_id="ada", items=[item]), timeout=DEADLINE
        ),
        orders.GetOrder(pb.GetOrderRequest(id=str(order.id)), timeout=DEADLINE),
        orders.ListOrders(pb.ListOrdersRequest(), timeout=DEADLINE),
        orders.CancelOrder(pb.CancelOrderRequest(id=str(order.id), request_id=str(uuid4())), timeout=DEADLINE),
    ]
    assert await asyncio.gather(*map(reason, calls)) == ["UNAVAILABLE STORE_UNAVAILABLE"] * 4


async def test_a_cancellation_that_hangs_in_its_transaction_is_given_up_in_time(
    postgres: PostgresServer, store: Store, mortal_url: str, order: Order
) -> None:
    async with locked(mortal_url, order), asyncio.timeout(PATIENCE / 2):
        request = cancel_request(uuid4(), order_id=order.id)
        cancelling = asyncio.create_task(store.cancel(request, order.id, time=NOW, within=5))
        await until_blocked(mortal_url)
        postgres.pause()
        with pytest.raises(StoreUnavailableError):
            await cancelling


@pytest.mark.parametrize(("begin", "ends"), [(transaction, True), (lambda connection: connection.transaction(), False)])
async def test_a_transaction_is_given_up_with_its_patience_which_asyncpgs_own_is_not(
    postgres: PostgresServer, mortal_url: str, begin: Any, ends: bool
) -> None:
    connection = await asyncpg.connect(mortal_url)

    async def hang() -> None:
        async with asyncio.timeout(0.2), begin(connection):
            postgres.pause()
            await connection.execute("SELECT 1")

    task = asyncio.create_task(hang())
    done, _ = await asyncio.wait([task], timeout=PATIENCE / 2 if ends else 2)
    assert bool(done) is ends
    postgres.resume()
    with pytest.raises(TimeoutError):
        await task
    connection.terminate()
