"""py-consul's asyncio client, opened so that blocking queries work, and its errors as one."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from consul.aio import Consul, HTTPClient
from consul.base import HTTPClient as BaseHTTPClient
from consul.base import Response
from consul.callback import CB
from consul.exceptions import ACLDisabled, ACLPermissionDenied, ConsulException

from gossamer_mesh.consul.depth import cut
from gossamer_mesh.discovery import SourceError


class Client(Consul):  # type: ignore[misc]  # py-consul has no types
    """A client of the agent at `url`. Reads `CONSUL_HTTP_TOKEN` itself, as every Consul client does."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme or "http"
        super().__init__(host=parts.hostname, port=parts.port or (443 if scheme == "https" else 80), scheme=scheme)
        self.url = url

    def blocking(self, path: str, *, index: int | None = None, wait: str | None = None) -> Awaitable[tuple[str, Any]]:
        """Ask a path that py-consul's own calls can't block on."""
        params = [("index", index), ("wait", wait)] if index else []
        answer: Awaitable[tuple[str, Any]] = self.http.get(
            CB.json(index=True), path, params=params, headers=self.prepare_headers()
        )
        return answer

    def http_connect(self, host: str, port: int, scheme: str, verify: bool | str = True, cert: Any = None) -> "_Http":
        """Make the HTTP side (called by py-consul)."""
        return _Http(host, port, scheme, verify, cert)


class _Http(HTTPClient):  # type: ignore[misc]  # py-consul has no types
    """py-consul's HTTP side, with an aiohttp session of our own.

    Any number of blocking queries have a connection each (aiohttp allows 100), no request is ended after five minutes,
    and no option is used that aiohttp deprecates. What somebody nested too deep for Python is cut off.
    """

    def __init__(self, host: str, port: int, scheme: str, verify: bool | str, cert: Any) -> None:
        BaseHTTPClient.__init__(self, host, port, scheme, verify, cert)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2.0)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)

    async def _request(self, callback: Callable[[Response], Any], *arguments: Any, **options: Any) -> Any:
        def read(response: Response) -> Any:
            try:
                return callback(response)
            except RecursionError:
                return callback(response._replace(body=cut(response.body)))

        return await super()._request(read, *arguments, **options)


class RefusedError(SourceError):
    """Consul is well, and does not take what somebody wrote."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """What is wrong with it, in Consul's words."""


def source_error(url: str, error: BaseException, refusal: str = "") -> SourceError:
    """Say what went wrong with a request. With the words `refusal` in it, somebody wrote what can't be followed."""
    found = str(error).strip() or type(error).__name__
    advice = "Is the agent running?"
    if isinstance(error, TimeoutError):
        found = "no answer in time"
    elif found.startswith(TOO_MANY):
        advice = "Set limits.http_max_conns_per_client of the agent to 30 more than there are services."
    elif isinstance(error, ACLDisabled | ACLPermissionDenied):
        advice = 'Give the token read access to every service and node, and to the key prefix "gossamer/".'
    message = f"expected Consul to answer at {url}, but: {found}. {advice}"
    if refusal and refusal in found:
        return RefusedError(message, found.partition(refusal)[2].lstrip(": "))
    return SourceError(message)


def words(error: BaseException) -> str:
    """Give Consul's words on one line, without its status."""
    found = str(error).split()
    return " ".join(found[1:] if found[:1] and found[0].isdigit() else found)


TOO_MANY = "429"
"""How py-consul's text begins when an agent refuses one more connection: it allows 200, and each service needs one."""

REQUEST_ERRORS = (aiohttp.ClientError, ConsulException, TimeoutError, OSError)
"""What a request may raise."""
