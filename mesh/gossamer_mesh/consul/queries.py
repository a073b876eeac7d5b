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

EARLY = 0.9
"""A query that waited for less than this share of its time, and found nothing newer, was let go."""

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


class Replaced(Exception):  # noqa: N818 - not an error
    """Consul has other data than before, as when a snapshot is restored: nothing that was read counts, nor any index.

    What is there then may be older than what queries wait behind, and they would not hear of it for long. Consul lets
    them go at once, with the index that they had: https://developer.hashicorp.com/consul/api-docs/snapshot
    """


async def request(
    client: Client,
    ask: Query,
    query: BlockingQuery[Any] | None = None,
    wait: float = 0,
    bucket: TokenBucket | None = None,
) -> tuple[int, Any]:
    """Make one request, blocking if the query has an index to wait behind. Raises `SourceError` and `Replaced`."""
    if bucket:
        await asyncio.sleep(bucket.take(asyncio.get_running_loop().time()))
    behind = query.index if query else 0
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(GRACE + (wait * 17 / 16 if behind else 0)):
            index, found = await ask(index=behind or None, wait=f"{wait}s")
    except REQUEST_ERRORS as error:
        raise source_error(client.url, error) from error
    if behind and int(index) == behind and asyncio.get_running_loop().time() - began < EARLY * wait:
        raise Replaced
    return int(index), found
