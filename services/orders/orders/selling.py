"""Sells an order: its pieces are put aside, its taxes asked for, it is stored, and its pieces are taken for good.

Whatever fails before it is stored gives the pieces back. From then on the order is placed, and its pieces are taken,
by whichever instance comes first to it: also when this one is killed in between. Where nobody knows whether it was
stored, the pieces are left to their expiry, unless the order is there and has them.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from orders.domain import OrderNotCancellableError, RequestIdReusedError, cancel_request
from orders.inventory import ReservationEndedError
from orders.store import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orders.domain import Order, Request
    from orders.inventory import Inventory
    from orders.store import Store
    from orders.tax import Taxes

_PATIENCE = 2.0
_EVERY = 1.0
_OLD = timedelta(seconds=5)
"""So long after it was placed an order's pieces have been taken, or whoever placed it is gone."""

log = logging.getLogger(__name__)


class Selling:
    """What happens to an order between its prices and its answer."""

    def __init__(self, *, store: Store, inventory: Inventory, taxes: Taxes) -> None:
        self._store = store
        self._inventory = inventory
        self._taxes = taxes
        self._releases: set[asyncio.Task[None]] = set()

    async def sell(self, content: Request, order: Order, *, left: Callable[[], float]) -> Order:
        """Store an order whose pieces there are as the answer to a request; the first answer if it was answered.

        `left` gives the seconds that are left. Raises OutOfStockError, RatesNotKnownError, RequestIdReusedError, and
        what says that one of those who are asked is away.
        """
        reservation = await self._inventory.reserve(order, within=min(_PATIENCE, 0.5 * left()))
        try:
            order = order.taxed(await self._taxes.due(order, within=min(_PATIENCE, 0.5 * left())))
        except BaseException:
            self._release(reservation)
            raise
        try:
            stored = await self._store.place(content, order, reservation=reservation, within=0.8 * left())
        except RequestIdReusedError:
            self._release(reservation)
            raise
        if stored.id == order.id:
            await self._take(order.id, reservation, within=min(_PATIENCE, 0.8 * left()))
        else:
            self._release(reservation)
        return stored

    @asynccontextmanager
    async def following_up(self) -> AsyncIterator[None]:
        """Take the pieces of orders whose instance did not come to it, again and again."""
        task = asyncio.create_task(self._follow_up())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, *self._releases, return_exceptions=True)

    async def _follow_up(self) -> None:
        while True:
            try:
                for order_id, reservation in await self._store.unsettled(before=datetime.now(UTC) - _OLD):
                    await self._take(order_id, reservation, within=_PATIENCE)
            except StoreUnavailableError:
                log.debug("orders can't be read now")
            except Exception:
                log.exception("following up failed")
            await asyncio.sleep(_EVERY)

    async def _take(self, order_id: UUID, reservation: UUID, *, within: float) -> None:
        """Take the pieces of an order that was placed. Whatever fails is followed up: the order stays placed."""
        try:
            try:
                await self._inventory.commit(reservation, within=within)
            except ReservationEndedError:
                await self._give_up(order_id)
            await self._store.settle(order_id)
        except Exception as error:  # noqa: BLE001
            log.warning("order %s is followed up later: %r", order_id, error)

    async def _give_up(self, order_id: UUID) -> None:
        """Cancel an order whose pieces went back before anybody took them."""
        log.error("order %s is cancelled: its pieces were put aside too long", order_id)
        request = cancel_request(uuid4(), order_id=order_id)
        with suppress(OrderNotCancellableError):  # somebody else has done so
            await self._store.cancel(request, order_id, time=datetime.now(UTC))

    def _release(self, reservation: UUID) -> None:
        """Give pieces back, also when nobody waits for the call any more: not as a part of it."""
        task = asyncio.get_running_loop().create_task(self._released(reservation), context=contextvars.Context())
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _released(self, reservation: UUID) -> None:
        try:
            await self._inventory.release(reservation, within=_PATIENCE)
        except Exception as error:  # noqa: BLE001 - whatever it is, they come back by themselves
            log.warning("pieces of reservation %s come back when it expires: %r", reservation, error)
