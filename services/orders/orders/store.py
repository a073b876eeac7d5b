"""Keeps orders in PostgreSQL. Says nothing about what may happen to an order: the domain does.

An order, its lines, its history and the request that made it are written by one statement, and so in one transaction.
Which request was answered with what is a row of its own with a unique key, so of two instances that get the same
request at once one writes, and the other waits for it and gives the first answer.

Needs no restart when PostgreSQL has been away: connections that broke are replaced when they are needed next.

    StoreError
        StoreUnavailableError  it is away: asking again later may help
        StoreRefusedError      it can't be used as it is: only when it is prepared
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import inf
from typing import Any
from uuid import UUID

import asyncpg

from orders.connections import AWAY, GIVEN_UP, broken, drop, transaction
from orders.domain import (
    Line,
    Order,
    OrderNotFoundError,
    OrderState,
    Place,
    Request,
    RequestIdReusedError,
    StateChange,
    Tax,
)
from orders.money import Money
from orders.page_token import Position

CHANNEL = "order_changes"
"""Where each change of an order is told, with the order's id."""

PATIENCE = 2.0
"""Seconds that a question waits for the store: less than a call's usual deadline, so the caller hears why."""

_SETTINGS = {"statement_timeout": "5s", "idle_in_transaction_session_timeout": "5s", "timezone": "UTC"}
_SELECT = """
SELECT id, customer_id, country, subdivision,
  ARRAY(SELECT l FROM order_lines l WHERE l.order_id = o.id ORDER BY l.position) AS lines,
  ARRAY(SELECT c FROM order_state_changes c WHERE c.order_id = o.id ORDER BY c.sequence) AS history
FROM orders o"""

_PLACE = """
WITH request AS (
  INSERT INTO requests (id, fingerprint, order_id, sequence) VALUES ($1, $2, $3, 1)
  ON CONFLICT (id) DO NOTHING RETURNING order_id
), placed AS (
  INSERT INTO orders (id, customer_id, create_time, country, subdivision, reservation_id, settled)
  SELECT order_id, $4, $6, $7, $8, $9::uuid, $9::uuid IS NULL FROM request
), change AS (
  INSERT INTO order_state_changes (order_id, sequence, state, time) SELECT order_id, 1, $5, $6 FROM request
), lines AS (
  INSERT INTO order_lines
    (order_id, position, product_id, product_name, quantity, currency, unit_price_units, unit_price_nanos,
     tax_percent, tax_units, tax_nanos)
  SELECT order_id, line.*
  FROM request, unnest($10::smallint[], $11::text[], $12::text[], $13::int[], $14::text[], $15::bigint[], $16::int[],
    $17::text[], $18::bigint[], $19::int[]) line
)
SELECT true FROM request"""


class StoreError(Exception):
    """The store can't be used."""


class StoreUnavailableError(StoreError):
    """The store can't be reached, or did not answer in time; asking again later may help."""


class StoreRefusedError(StoreError):
    """The store does not take this role, password or database, or holds what this version did not make."""


@asynccontextmanager
async def open_store(url: str, *, patience: float = PATIENCE) -> AsyncIterator["Store"]:
    """Lend a store on a database that was prepared; it connects when it is asked. Patience is in seconds."""
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=4,  # each is a process of PostgreSQL
        max_inactive_connection_lifetime=30,
        timeout=patience,
        reset=_nothing,
        server_settings=_SETTINGS,
    )
    async with pool:
        yield Store(pool, patience=patience)


async def _nothing(_connection: Any) -> None:
    """Leave a connection as it is when it is given back: nothing was set on it, so nothing has to be undone."""


class Store:
    """Orders in PostgreSQL.

    Every method raises StoreUnavailableError while it is away, after `within` seconds at the latest, or its patience.
    """

    def __init__(self, pool: Any, *, patience: float) -> None:
        """Use a pool of asyncpg, which stays the caller's to close."""
        self._pool = pool
        self._patience = patience

    async def answer(self, request: Request, *, within: float = inf) -> Order | None:
        """Return what a request was answered with; None when it is new. Raises RequestIdReusedError."""
        async with self._session(within) as session:
            return await _answer(session, request)

    async def place(
        self, request: Request, order: Order, *, reservation: UUID | None = None, within: float = inf
    ) -> Order:
        """Store a new order as the answer to a request, and return it: the first one if the request was answered.

        It is `unsettled` until the pieces of its reservation are taken. Raises RequestIdReusedError.
        """
        placed = order.history[0]
        lines = zip(*(_columns(position, line) for position, line in enumerate(order.lines)), strict=True)
        where = (order.place.country, order.place.subdivision)
        head = (request.id, request.fingerprint, order.id, order.customer_id, placed.state, placed.time)
        values = (*head, *where, reservation, *lines)
        async with self._session(within) as session:
            if await session.fetchval(_PLACE, *values):
                return order
            return await _first_answer(session, request)

    async def cancel(self, request: Request, order_id: UUID, *, time: datetime, within: float = inf) -> Order:
        """Cancel an order as the answer to a request, and return it: the first answer if the request was answered.

        Raises OrderNotFoundError, OrderNotCancellableError, RequestIdReusedError.
        """
        async with self._session(within) as session:
            async with transaction(session):
                await session.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order_id)
                answer = await _answer(session, request)
                if answer:
                    return answer
                order = (await _order(session, order_id)).cancelled(time=time)
                if await _remember(session, request, order):
                    await _insert_change(session, order)
                    return order
            return await _first_answer(session, request)

    async def unsettled(self, *, before: datetime) -> list[tuple[UUID, UUID]]:
        """Return some orders that were placed before and whose pieces are not known to be taken: ids, reservations."""
        query = "SELECT id, reservation_id FROM orders WHERE NOT settled AND create_time < $1 ORDER BY 1 LIMIT 100"
        async with self._session(inf) as session:
            return [(row["id"], row["reservation_id"]) for row in await session.fetch(query, before)]

    async def settle(self, order_id: UUID) -> None:
        """Take note that the pieces of an order are taken."""
        async with self._session(inf) as session:
            await session.execute("UPDATE orders SET settled = true WHERE id = $1", order_id)

    async def get(self, order_id: UUID, *, within: float = inf) -> Order:
        """Return one order. Raises OrderNotFoundError."""
        async with self._session(within) as session:
            return await _order(session, order_id)

    async def newest(self, *, customer_id: str, after: Position | None, limit: int, within: float = inf) -> list[Order]:
        """Return orders of a customer ("": of all), newest first, from the one after a position."""
        conditions, values = ["true"], list[object]([limit])
        if customer_id:
            values.append(customer_id)
            conditions.append(f"customer_id = ${len(values)}")
        if after:
            values += [after.create_time, after.order_id]
            conditions.append(f"(create_time, id) < (${len(values) - 1}, ${len(values)})")
        query = f"WHERE {' AND '.join(conditions)} ORDER BY create_time DESC, id DESC LIMIT $1"
        async with self._session(within) as session:
            return await _orders(session, query, *values)

    @asynccontextmanager
    async def _session(self, within: float) -> AsyncIterator[Any]:
        """Lend a connection for one answer, and say so when the store is away."""
        try:
            async with asyncio.timeout(min(self._patience, within)), self._pool.acquire() as session:
                try:
                    yield session
                except GIVEN_UP:
                    drop(session)  # giving it back would wait for the store once more
                    raise
                except asyncpg.InterfaceError as error:
                    if broken(session):
                        raise StoreUnavailableError("the connection to the store broke") from error
                    raise
        except AWAY as error:
            raise StoreUnavailableError(f"the store is away: {error!r}") from error


async def _remember(session: Any, request: Request, order: Order) -> bool:
    """Make an order the answer to a request; False when it was answered before, perhaps a moment ago elsewhere."""
    return bool(
        await session.fetchval(
            "INSERT INTO requests (id, fingerprint, order_id, sequence) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (id) DO NOTHING RETURNING true",
            request.id,
            request.fingerprint,
            order.id,
            len(order.history),
        )
    )


async def _answer(session: Any, request: Request) -> Order | None:
    row = await session.fetchrow("SELECT fingerprint, order_id, sequence FROM requests WHERE id = $1", request.id)
    if row is None:
        return None
    if row["fingerprint"] != request.fingerprint:
        raise RequestIdReusedError
    order = await _order(session, row["order_id"])
    return order.as_of(row["sequence"])


async def _first_answer(session: Any, request: Request) -> Order:
    answer = await _answer(session, request)
    if answer is None:
        raise LookupError(f"request {request.id} was answered, but its answer can't be found")
    return answer


async def _insert_change(session: Any, order: Order) -> None:
    """Write the newest change, and tell it to whoever follows once the transaction is through."""
    change = order.history[-1]
    await session.execute(
        "INSERT INTO order_state_changes (order_id, sequence, state, time) VALUES ($1, $2, $3, $4)",
        order.id,
        change.sequence,
        int(change.state),
        change.time,
    )
    await session.execute("SELECT pg_notify($1, $2)", CHANNEL, str(order.id))


async def _order(session: Any, order_id: UUID) -> Order:
    found = await _orders(session, "WHERE id = $1", order_id)
    if not found:
        raise OrderNotFoundError
    return found[0]


async def _orders(session: Any, query: str, *values: object) -> list[Order]:
    return [_whole(row) for row in await session.fetch(f"{_SELECT} {query}", *values)]


def _whole(row: Any) -> Order:
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        lines=tuple(_line(line) for line in row["lines"]),
        history=tuple(_change(change) for change in row["history"]),
        place=Place(row["country"], row["subdivision"]),
    )


def _columns(position: int, line: Line) -> tuple[object, ...]:
    price, tax = line.unit_price, line.tax
    due = (tax.percent, tax.amount.units, tax.amount.nanos) if tax else (None, 0, 0)
    return position, line.product_id, line.product_name, line.quantity, price.currency, price.units, price.nanos, *due


def _line(row: Any) -> Line:
    price = Money.of(row["currency"], row["unit_price_units"], row["unit_price_nanos"])
    percent = row["tax_percent"]
    tax = None if percent is None else Tax(percent, Money.of(row["currency"], row["tax_units"], row["tax_nanos"]))
    return Line(row["product_id"], row["product_name"], row["quantity"], price, tax)


def _change(row: Any) -> StateChange:
    return StateChange(row["sequence"], OrderState(row["state"]), row["time"].astimezone(UTC))
