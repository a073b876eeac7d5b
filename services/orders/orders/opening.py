"""Makes a database ready for this version of the service before it serves: waits for PostgreSQL, then migrates.

Every way in which that fails ends here as a StoreError of one line.
"""

import asyncio
import logging
from typing import Any

import asyncpg

from orders import migrations
from orders.connections import AWAY, drop, one_line
from orders.migrations import MigrationError
from orders.store import PATIENCE, StoreRefusedError, StoreUnavailableError

_START = 30.0
_RETRY = 0.2

log = logging.getLogger(__name__)


async def prepare(url: str, *, within: float = _START) -> None:
    """Wait up to so many seconds for a PostgreSQL that is not there yet, and bring the database up to date.

    While another instance does so it waits, as long as that takes: cancel it to give up. Raises StoreUnavailableError,
    and StoreRefusedError for what waiting does not change.
    """
    connection = await _first_connection(url, within)
    try:
        for name in await migrations.apply(connection):
            log.info("migration applied: %s", name)
    except (*AWAY, asyncpg.InterfaceError) as error:
        raise StoreUnavailableError(
            f"the store went away while it was brought up to date: {one_line(error)}"
        ) from error
    except (MigrationError, asyncpg.PostgresError) as error:
        raise StoreRefusedError(f"the database can't be brought up to date: {one_line(error)}") from error
    finally:
        drop(connection)


async def _first_connection(url: str, within: float) -> Any:
    reason: Exception | None = None
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    return await asyncpg.connect(url, timeout=PATIENCE)
                except AWAY as error:
                    if reason is None:
                        log.warning("waiting for the store: %s", one_line(error))
                    reason = error
                await asyncio.sleep(_RETRY)
    except TimeoutError as error:
        said = one_line(reason or error)
        raise StoreUnavailableError(
            f"the store did not answer within {within:g} s: start it, or correct DATABASE_URL: {said}"
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreRefusedError(f"the store does not take DATABASE_URL: {one_line(error)}") from error
