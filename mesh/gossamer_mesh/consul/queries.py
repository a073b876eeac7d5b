"""How one request is made of Consul, blocking or not, and how often."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from consul.callback import CB

from gossamer_mesh.consul.blocking import BlockingQuery, TokenBucket
from gossamer_mesh.consul.client import REQUEST_ERRORS, Client, source_error

GRACE = 4.0
"""Seconds that an answer may take beyond its wait, which Consul itself stretches by up to a sixteenth."""

RATE, BURST = 20.0, 10
"""How often a second, and at once, one query may be asked."""

LONG_WAIT = 60
"""Seconds that a query blocks of which many run side by side."""

Query = Callable[..., Awaitable[tuple[str, Any]]]
"""Takes an index and a wait; answers an index and what it found."""


def bucket() -> TokenBucket:
    """Make the limit of one query."""
    return TokenBucket(rate=RATE, burst=BURST)


def at(client: Client, path: str, **parameters: str) -> Query:
    """Make the query of a path that py-consul has no method for, or none that blocks. Not found answers None."""

    async def query(index: int | None = None, wait: str = "") -> tuple[str, Any]:
        blocking = [("index", index), ("wait", wait)] if index else []
        answer: tuple[str, Any] = await client.http.get(
            CB.json(index=True), path, params=[*parameters.items(), *blocking]
        )
        return answer

    return query


async def request(
    client: Client,
    ask: Query,
    query: BlockingQuery[Any] | None = None,
    wait: float = 0,
    bucket: TokenBucket | None = None,
) -> tuple[int, Any]:
    """Make one request, blocking if the query has an index to wait behind. Raises `SourceError`."""
    if bucket:
        await asyncio.sleep(bucket.take(asyncio.get_running_loop().time()))
    behind = query.index if query else 0
    try:
        async with asyncio.timeout(GRACE + (wait * 17 / 16 if behind else 0)):
            index, found = await ask(index=behind or None, wait=f"{wait}s")
    except REQUEST_ERRORS as error:
        raise source_error(client.url, error) from error
    return int(index), found
