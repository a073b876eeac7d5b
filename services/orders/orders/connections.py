"""What asyncpg's errors say about the store, and how a connection is given up without waiting for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

AWAY: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # starting up, shutting down, took too long
    asyncpg.InsufficientResourcesError,  # no connection left, disk full
    asyncpg.InternalClientError,  # a connection that broke a moment ago is used before it is known to be broken
)
"""What a store that is away looks like."""

GIVEN_UP: tuple[type[BaseException], ...] = (*AWAY, asyncio.CancelledError)
"""What ends a question whose answer nobody waits for any more."""


@asynccontextmanager
async def transaction(connection: Any) -> AsyncIterator[None]:
    """Run a transaction that ends with the patience of whoever waits for it.

    asyncpg's own sends ROLLBACK when it is cancelled, and waits for a store that hangs without a limit.
    """
    inner = connection.transaction()
    await inner.start()
    try:
        yield
    except GIVEN_UP:
        drop(connection)
        raise
    except BaseException:
        await inner.rollback()
        raise
    await inner.commit()


def drop(connection: Any) -> None:
    """End a connection, and with it what it was doing, without waiting for the store."""
    with suppress(asyncpg.InterfaceError):  # the pool has dropped it already
        connection.terminate()


def broken(connection: Any) -> bool:
    """Tell whether a connection is known to be of no use any more."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has dropped it
        return True


def one_line(error: BaseException) -> str:
    """Give the text of an error, which may be empty or have lines for details and hints, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
