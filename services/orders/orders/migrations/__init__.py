"""Brings a database to the state that this version of the service needs: each file of this folder, once, in order.

Instances that start at the same time wait for each other, and all files are applied in one transaction: a start that
fails leaves the database as it was. A file that was applied must never change; add another one instead. Files that the
database has and this version lacks are a newer version's, which has to bear the older one while it is replaced.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orders.connections import transaction

LOCK = int.from_bytes(hashlib.sha256(b"orders migrations").digest()[:8], "big", signed=True)
"""The key of the advisory lock that instances wait for."""

_FOLDER = Path(__file__).parent


class MigrationError(Exception):
    """A file was changed after it had been applied."""


def files() -> Mapping[str, str]:
    """Return the SQL of every file under its name, in the order to apply them."""
    return {file.name: file.read_text() for file in sorted(_FOLDER.glob("*.sql"))}


async def apply(connection: Any, migrations: Mapping[str, str] | None = None) -> list[str]:
    """Apply what the database lacks; return the names of the files that were applied. Raises MigrationError."""
    applied = []
    async with transaction(connection):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, digest text NOT NULL, time timestamptz NOT NULL DEFAULT now())"
        )
        known = dict(await connection.fetch("SELECT name, digest FROM migrations"))
        for name, sql in (files() if migrations is None else migrations).items():
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if name not in known:
                await connection.execute(sql)
                await connection.execute("INSERT INTO migrations (name, digest) VALUES ($1, $2)", name, digest)
                applied.append(name)
            elif known[name] != digest:
                raise MigrationError(f"{name} was changed after it had been applied: undo that, and add a new file")
    return applied
