"""py-consul's asyncio client, opened so that blocking queries work, and its errors as one."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from consul.aio import Consul, HTTPClient
from consul.base import HTTPClient as BaseHTTPClient
from consul.exceptions import ConsulException

from gossamer_mesh.discovery import SourceError


class Client(Consul):  # type: ignore[misc]  # py-consul has no types
    """A client of the agent at `url`. Reads `CONSUL_HTTP_TOKEN` itself, as every Consul client does."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme or "http"
        super().__init__(host=parts.hostname, port=parts.port or (443 if scheme == "https" else 80), scheme=scheme)
        self.url = url

    def http_connect(self, host: str, port: int, scheme: str, verify: bool | str = True, cert: Any = None) -> "_Http":
        """Make the HTTP side (called by py-consul)."""
        return _Http(host, port, scheme, verify, cert)


class _Http(HTTPClient):  # type: ignore[misc]  # py-consul has no types
    """py-consul's HTTP side, with an aiohttp session of our own.

    Any number of blocking queries have a connection each (aiohttp allows 100), no request is ended after five minutes,
    and no option is used that aiohttp deprecates.
    """

    def __init__(self, host: str, port: int, scheme: str, verify: bool | str, cert: Any) -> None:
        BaseHTTPClient.__init__(self, host, port, scheme, verify, cert)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2.0)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)


def source_error(url: str, error: BaseException) -> SourceError:
    """Say what went wrong with a request."""
    found = str(error).strip() or type(error).__name__
    advice = "Is the agent running?"
    if isinstance(error, TimeoutError):
        found = "no answer in time"
    elif found.startswith(TOO_MANY):
        advice = "Set limits.http_max_conns_per_client of the agent to more than there are services."
    return SourceError(f"expected Consul to answer at {url}, but: {found}. {advice}")


def words(error: BaseException) -> str:
    """Give Consul's words on one line, without its status."""
    found = str(error).split()
    return " ".join(found[1:] if found[:1] and found[0].isdigit() else found)


TOO_MANY = "429"
"""How py-consul's text begins when an agent refuses one more connection: it allows 200, and each service needs one."""

REQUEST_ERRORS = (aiohttp.ClientError, ConsulException, TimeoutError, OSError)
"""What a request may raise."""
