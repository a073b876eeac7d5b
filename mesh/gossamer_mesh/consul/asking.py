"""One question to Consul: how often it may be asked, how long its answer may take, and what its failure is called."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gossamer_mesh.consul.blocking import BlockingQuery, TokenBucket
from gossamer_mesh.consul.client import REQUEST_ERRORS, Client, source_error
from gossamer_mesh.discovery import SourceError

WAIT = 60
"""Seconds that a query blocks of which many run side by side."""

GRACE = 4.0
"""Seconds that an answer may take beyond its wait, which Consul itself stretches by up to a sixteenth."""

EARLY = 0.9
"""A query that waited for less than this share of its time, and found nothing newer, was let go."""

RATE, BURST = 20.0, 10
"""How often a second, and at once, one question may be asked again."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question(Generic[T]):
    """Something that Consul can be asked."""

    what: str
    """What it gives, for people."""
    request: Callable[..., Awaitable[tuple[str, Any]]]
    """Takes `index` and `wait`; gives an index and what was found, which may be None."""
    read: Callable[[Any], T]
    """Turns what was found into what is meant."""
    refusal: str = ""
    """Consul's words when it is well and can't answer because of what somebody wrote; empty: there is no such thing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[T]):
    """What Consul said."""

    value: T
    index: int
    behind: int
    """The index of the answer before; 0: it is the first."""
    changed: bool
    """Whether the value is another than before. Most returns are no change."""


class Replaced(Exception):  # noqa: N818 - not an error
    """Consul has other data than before, as when a snapshot is restored: nothing that was read counts, nor any index.

    What is there then may be older than what queries wait behind, and they would not hear of it for long. Consul lets
    them go at once, with the index that they had: https://developer.hashicorp.com/consul/api-docs/snapshot
    """


async def ask(client: Client, question: Question[T], *, behind: int = 0, wait: float = WAIT) -> tuple[int, T]:
    """Ask once, blocking if there is an index to wait behind; gives an index and the value.

    Raises `SourceError`, for what somebody wrote `RefusedError`, and `Replaced`.
    """
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(GRACE + (wait * 17 / 16 if behind else 0)):
            index, found = await question.request(index=behind or None, wait=f"{wait}s")
    except REQUEST_ERRORS as error:
        raise source_error(client.url, error, question.refusal) from error
    if behind and int(index) == behind and asyncio.get_running_loop().time() - began < EARLY * wait:
        raise Replaced
    try:
        return int(index), question.read(found)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"expected {question.what} as Consul 1.22 gives it at {client.url}, found something else: {error!r}"
        ) from error


async def follow(client: Client, question: Question[T], *, wait: float = WAIT) -> AsyncIterator[Answer[T]]:
    """Ask again and again, each time behind the answer before, and give every answer.

    Raises `SourceError` and `Replaced`.
    """
    query, bucket = BlockingQuery[T](), limit()
    while True:
        await pause(bucket)
        behind = query.index
        index, value = await ask(client, question, behind=behind, wait=wait)
        yield Answer(value=value, index=index, behind=behind, changed=query.answered(index, value))


def limit() -> TokenBucket:
    """Make what limits how often something is asked."""
    return TokenBucket(rate=RATE, burst=BURST)


async def pause(bucket: TokenBucket) -> None:
    """Wait until it may be asked again."""
    await asyncio.sleep(bucket.take(asyncio.get_running_loop().time()))
