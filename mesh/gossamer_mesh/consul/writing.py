"""Writes what people want to have written: config entries, and values under `gossamer/`. Never over what others wrote.

Each has a name: `service-router/catalog` for a config entry, `gossamer/defaults` for a value, which is JSON. Whoever
writes or removes one says which index it was read with (check-and-set), so that nobody's change is lost unseen.
https://developer.hashicorp.com/consul/api-docs/config and https://developer.hashicorp.com/consul/api-docs/kv
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from consul.callback import CB
from consul.exceptions import ACLDisabled, ACLPermissionDenied, BadRequest, ClientError, ConsulException

from gossamer_mesh.consul.client import REQUEST_ERRORS, Client, source_error, words
from gossamer_mesh.consul.entries import askable

PREFIX = "gossamer/"
"""What the names of values begin with."""

WITHIN = 10.0
"""Seconds that a request may take."""

AWAY = (
    "No cluster leader",
    "No known Consul servers",
    "Not ready to serve",
    "Raft leader not found",
    "node is not the leader",
    "leadership lost",
    "leadership transfer in progress",
    "snapshot restored while",
    "raft is already shutdown",
    "timed out enqueuing",
    "rpc error getting client",  # but not "making call", which is how a client agent begins every refusal
)
"""What Consul says of itself in answers that say nothing of the entry (its agent/structs/errors.go, and raft)."""

T = TypeVar("T")


class WriteError(Exception):
    """Something was not written. `Conflict` and `Refused` say why."""


class Conflict(WriteError):  # noqa: N818 - what was met, not a mistake
    """Somebody else has written it since it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was written by somebody else meanwhile: read it again")


class Refused(WriteError):  # noqa: N818 - as above
    """Consul does not take it. The message has Consul's own words."""


@dataclass(frozen=True)
class Found:
    """What is there under a name."""

    body: Any
    """What it says: JSON, or the text of a value that is none. Of a config entry also what Consul notes about it."""
    index: int
    """Changes with each writing of it."""
    flags: int = 0
    """Of a value: a number for whoever writes it."""


class Writer:
    """Reads and writes at the agent at `url`. Every method raises `SourceError` when Consul can't be asked."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        self._client = Client(self._url)
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client  # noqa: S101 - entered
        await self._client.__aexit__(kind, error, trace)

    def address(self, name: str) -> str:
        """Say where a person finds what has that name."""
        return f"{self._url.rstrip('/')}{quote(_path(name))}"

    async def read(self, name: str) -> Found | None:
        """Read what is there; None when nothing is."""
        found = await self._ask(self._http.get(CB.json(), _path(name)))
        if not found:
            return None
        if not name.startswith(PREFIX):
            return Found(found, int(found["ModifyIndex"]))
        pair = found[0]
        text = base64.b64decode(pair["Value"] or "").decode(errors="replace")
        try:
            return Found(json.loads(text), int(pair["ModifyIndex"]), int(pair["Flags"]))
        except (ValueError, RecursionError):
            return Found(text, int(pair["ModifyIndex"]), int(pair["Flags"]))

    async def write(self, name: str, body: Any, *, index: int, flags: int = 0) -> int:
        """Write it, if it still has the index that it was read with; 0: if it is not there. Gives the new index.

        A config entry has no flags.

        Raises `Conflict` and `Refused`.
        """
        path, written, parameters = _path(name), body, [("cas", index)]
        if name.startswith(PREFIX):
            parameters.append(("flags", flags))
        else:
            kind, _, entry = name.partition("/")
            path, written = "/v1/config", _entry(kind, entry, body)
        done = await self._ask(self._http.put(CB.json(), path, params=parameters, data=json.dumps(written)))
        found = await self.read(name) if done else None
        if not found:
            raise Conflict(name)
        return found.index

    async def remove(self, name: str, *, index: int) -> None:
        """Remove it, if it still has the index that it was read with. Raises `Conflict` and `Refused`."""
        if not await self._ask(self._http.delete(CB.json(), _path(name), params=[("cas", index)])):
            raise Conflict(name)

    async def chain(self, service: str) -> Mapping[str, Any]:
        """Read what Consul makes of all that is written about a service: its compiled discovery chain."""
        answer = await self._ask(self._http.get(CB.json(), f"/v1/discovery-chain/{service}"))
        chain: Mapping[str, Any] = answer["Chain"]
        return chain

    @property
    def _http(self) -> Any:
        assert self._client, "entered"  # noqa: S101 - used inside `async with`
        return self._client.http

    async def _ask(self, request: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(WITHIN):
                return await request
        except REQUEST_ERRORS as error:
            if _is_refusal(error):
                raise Refused(f"Consul does not take it: {words(error)}") from error
            raise source_error(self._url, error) from error


def _path(name: str) -> str:
    if not askable(name):
        raise Refused(f"expected a name that a path can have, found {name!r}")
    return f"/v1/{'kv' if name.startswith(PREFIX) else 'config'}/{name}"


def _entry(kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "Kind": kind, "Name": name}


def _is_refusal(error: BaseException) -> bool:
    """Tell whether Consul has judged what it was sent: with a status of 4xx, or a 500 that speaks of the entry."""
    if isinstance(error, (BadRequest, ClientError, ACLPermissionDenied, ACLDisabled)):
        return not str(error).startswith("429")
    return isinstance(error, ConsulException) and str(error).startswith("500") and not _is_away(error)


def _is_away(error: BaseException) -> bool:
    return any(each in str(error) for each in AWAY)
