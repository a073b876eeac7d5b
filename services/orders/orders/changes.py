"""Follows the state changes of orders, on whichever instance they happen.

PostgreSQL tells each change to every instance (LISTEN); that only wakes whoever follows the order, and what changed is
then read from the store. So nothing is missed or seen twice, whatever becomes of the telling: while its connection is
gone changes wait in the store, and when it is back everyone looks.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg

from orders.connections import AWAY, drop, one_line
from orders.domain import StateChange
from orders.store import CHANNEL, PATIENCE, Store, StoreUnavailableError

_RETRY = 0.2
_CHECK = 10.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_feed(url: str) -> AsyncIterator["ChangeFeed"]:
    """Listen for changes until the end."""
    feed = ChangeFeed(url)
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class ChangeFeed:
    """Wakes whoever follows an order when that order may have changed."""

    def __init__(self, url: str) -> None:
        """Describe it; `run` does the work."""
        self._url = url
        self._followers: dict[str, set[asyncio.Event]] = {}

    @property
    def followers(self) -> int:
        """How many follow an order now."""
        return sum(len(events) for events in self._followers.values())

    @contextmanager
    def follow(self, order_id: UUID) -> Iterator[asyncio.Event]:
        """Lend an event that is set whenever the order may have changed."""
        event = asyncio.Event()
        events = self._followers.setdefault(str(order_id), set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._followers.pop(str(order_id), None)

    async def run(self) -> None:
        """Listen for ever, with another connection whenever one breaks; whatever goes wrong, it never ends unseen."""
        while True:
            try:
                await self._listen()
            except (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("listening for changes again in %s s: %s", _RETRY, one_line(error))
            except Exception:
                log.exception("listening for changes failed unexpectedly; again in %s s", _RETRY)
            await asyncio.sleep(_RETRY)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=PATIENCE)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.add_listener(CHANNEL, self._told)
            self._wake_all()
            while not closed.is_set():
                await _wait_or_check(connection, closed)
        finally:
            drop(connection)
        raise ConnectionError("the connection to the store broke")

    def _told(self, _connection: Any, _process: int, _channel: str, order_id: str) -> None:
        for event in self._followers.get(order_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._followers.values():
            for event in events:
                event.set()


async def _wait_or_check(connection: Any, closed: asyncio.Event) -> None:
    """Wait until the connection breaks, asking now and then whether the other side is still there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CHECK):
            await closed.wait()
            return
    await connection.execute("SELECT 1", timeout=PATIENCE)


async def changes_of(
    order_id: UUID, *, after_sequence: int, store: Store, feed: ChangeFeed
) -> AsyncGenerator[StateChange, None]:
    """Give every change of an order after one, in order, then each new one as it happens; end after a final state.

    Raises OrderNotFoundError, and StoreUnavailableError when the store is away at the beginning. When it goes away
    later, the changes that follow come as soon as it is back.
    """
    with feed.follow(order_id) as changed:
        order = await store.get(order_id)
        while True:
            for change in order.history:
                if change.sequence > after_sequence:
                    yield change
                    after_sequence = change.sequence
            if order.state.final:
                return
            await changed.wait()
            changed.clear()
            try:
                order = await store.get(order_id)
            except StoreUnavailableError:
                await asyncio.sleep(_RETRY)
                changed.set()
