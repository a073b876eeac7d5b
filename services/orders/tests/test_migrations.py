"""Migrations on a real PostgreSQL."""

import asyncio

import asyncpg
import pytest
from orders import migrations
from orders.migrations import MigrationError

ONE = {"0001_a.sql": "CREATE TABLE a (n int)"}
TWO = ONE | {"0002_b.sql": "CREATE TABLE b (n int); INSERT INTO b VALUES (1)"}


async def apply(url: str, files: dict[str, str] | None = None) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return await migrations.apply(connection, files)
    finally:
        await connection.close()


async def test_only_what_is_new_is_applied(url: str) -> None:
    assert await apply(url, ONE) == ["0001_a.sql"]
    assert await apply(url, TWO) == ["0002_b.sql"]
    assert await apply(url, TWO) == []


async def test_instances_that_start_at_once_apply_each_file_once(url: str) -> None:
    applied = await asyncio.gather(*(apply(url) for _ in range(6)))
    assert sorted(applied, key=len) == [[], [], [], [], [], list(migrations.files())]


async def test_a_file_that_fails_leaves_nothing_of_the_others(url: str) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await apply(url, TWO | {"0003_c.sql": "CREATE nonsense"})
    assert await apply(url, TWO) == ["0001_a.sql", "0002_b.sql"]


async def test_a_file_that_was_changed_later_is_refused(url: str) -> None:
    await apply(url, ONE)
    with pytest.raises(MigrationError, match=r"0001_a\.sql was changed"):
        await apply(url, {"0001_a.sql": "CREATE TABLE a (n bigint)"})


async def test_files_of_a_newer_version_are_left_alone(url: str) -> None:
    await apply(url, TWO)
    assert await apply(url, ONE) == []
