"""How a start waits, is given up, or fails: with one line that says why, and the right exit status."""

import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from harness.postgres import PostgresServer, until_blocked
from orders import migrations
from orders.opening import prepare
from orders.store import StoreRefusedError, StoreUnavailableError

PATIENCE = 30
NOWHERE = "postgresql://orders:secret@127.0.0.1:1/orders"


@pytest.fixture
async def migrating(mortal_url: str) -> AsyncIterator[str]:
    """The URL of a database that another instance brings up to date, and does not come to an end."""
    holder = await asyncpg.connect(mortal_url)
    await holder.execute("SELECT pg_advisory_lock($1)", migrations.LOCK)
    yield mortal_url
    holder.terminate()


def last_words(process: Any) -> str:
    """The one line that a start which failed ends with."""
    assert process.process.wait(PATIENCE) == 1, process.log.read_text()
    (line,) = [line for line in process.log.read_text().splitlines() if not line.startswith("{")]
    return str(line)


def test_an_instance_waits_for_a_store_that_starts_later(
    postgres: PostgresServer, mortal_url: str, start_orders: Any, catalog: Any
) -> None:
    postgres.kill()
    process = start_orders(mortal_url, catalog.address)
    process.until_logged("waiting for the store")
    postgres.start()
    assert process.connect()


def test_a_stop_while_it_waits_for_the_store_is_no_failure(start_orders: Any) -> None:
    process = start_orders(NOWHERE, "127.0.0.1:1")
    process.until_logged("waiting for the store")
    assert process.stop() == 0
    assert "secret" not in process.log.read_text()


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_stop_while_another_instance_migrates_is_no_failure(
    postgres: PostgresServer, migrating: str, start_orders: Any, hangs: bool
) -> None:
    process = start_orders(migrating, "127.0.0.1:1")
    await until_blocked(migrating)
    if hangs:
        postgres.pause()
    assert process.stop() == 0
    assert process.log.read_text() == ""


async def test_a_store_that_is_killed_during_a_start_ends_it_with_one_line(
    postgres: PostgresServer, migrating: str, start_orders: Any
) -> None:
    process = start_orders(migrating, "127.0.0.1:1")
    await until_blocked(migrating)
    postgres.kill()
    assert last_words(process).startswith("the store went away while it was brought up to date: ")


def test_a_wrong_password_ends_with_1_and_one_line(url: str, start_orders: Any) -> None:
    parts = urlsplit(url)
    wrong = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":wrong@")).geturl()
    line = last_words(start_orders(wrong, "127.0.0.1:1"))
    assert line.startswith("the store does not take DATABASE_URL: password authentication failed")


def test_another_services_database_ends_with_1_and_one_line(
    url: str, shared_postgres: PostgresServer, start_orders: Any
) -> None:
    another = urlsplit(shared_postgres.database("another")).path
    line = last_words(start_orders(urlsplit(url)._replace(path=another).geturl(), "127.0.0.1:1"))
    assert line.startswith('the store does not take DATABASE_URL: permission denied for database "another"')


def test_a_bad_configuration_ends_with_64_and_one_message(start_orders: Any) -> None:
    process = start_orders("", "127.0.0.1:1")
    assert process.process.wait(PATIENCE) == 64
    assert process.log.read_text().splitlines() == [
        "bad configuration:",
        "  DATABASE_URL: expected postgresql://role:password@host:port/database, found nothing",
    ]


async def test_a_store_that_stays_away_is_named_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        StoreUnavailableError, match=r"within 0\.5 s: start it, or correct DATABASE_URL: [^\n]*Connect call failed"
    ):
        await prepare(NOWHERE, within=0.5)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("CREATE TABLE orders (id int)", 'relation "orders" already exists'),
        ("ALTER SCHEMA public RENAME TO hidden", "no schema has been selected"),
    ],
)
async def test_a_database_that_cannot_be_migrated_is_refused(url: str, before: str, expected: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(before)
    await connection.close()
    with pytest.raises(StoreRefusedError, match=f"the database can't be brought up to date: {expected}"):
        await prepare(url)
