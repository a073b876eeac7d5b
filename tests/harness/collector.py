"""The collector as a process on free ports, with what feeds it and what reads it."""

import io
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from .process import Child


class Collector:
    """One collector with a store of its own. `async with` starts it and waits until all three ports are bound."""

    def __init__(self, folder: Path, *options: str, store: Path | None = None) -> None:
        """Keep its files in `folder`; `options` go to its command line."""
        self._folder = folder
        self._options = options
        self.store = store or folder / "spans.db"
        self.addresses: dict[str, str] = {}
        """`host:port` of otlp_grpc, otlp_http and query."""
        self._child: Child | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def start(self) -> None:
        """Start it and wait until it is bound."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ports = [f"--{port}=127.0.0.1:0" for port in ("grpc", "http", "query")]
        command = (sys.executable, "-m", "gossamer_mesh.collect", *ports, "--store", str(self.store), *self._options)
        self._child = await Child.start(*command, log=self._folder / "collector.log")
        try:
            self.addresses = (await self._child.announcement())["addresses"]
        except BaseException:
            await self.end(signal.SIGKILL)
            raise
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal and give its exit status."""
        assert self._child
        if self._http:
            await self._http.close()
        return await self._child.end(number)

    def logs(self) -> list[dict[str, Any]]:
        """Every line that it logged so far."""
        assert self._child
        return list(self._child.lines())

    async def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Ask the read API; give the body, whatever the status."""
        assert self._http
        async with self._http.get(f"http://{self.addresses['query']}{path}", params=parameters) as answer:
            return dict(await answer.json())

    async def status_of(self, path: str, **parameters: str) -> int:
        """Ask the read API; give the status."""
        assert self._http
        async with self._http.get(f"http://{self.addresses['query']}{path}", params=parameters) as answer:
            return answer.status

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Send a body to the HTTP port; give status, headers and body of the answer."""
        assert self._http
        url = f"http://{self.addresses['otlp_http']}{path}"
        async with self._http.post(url, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status, dict(answer.headers), await answer.read()
