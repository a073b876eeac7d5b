"""Jaeger's read API over HTTP. A thin shell: ``jaeger`` reads the parameters, ``search`` answers in a thread.

Beside it ``/status`` tells how the collector itself is doing.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from gossamer_mesh.collect import jaeger
from gossamer_mesh.collect.intake import Intake
from gossamer_mesh.collect.search import Search, SearchError

_READERS: Final = 2

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class QueryApi:
    """The handlers of the read API."""

    def __init__(self, search: Search, intake: Intake) -> None:
        self._search = search
        self._intake = intake
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="collector-reader")

    def application(self) -> web.Application:
        """Make the application."""
        app = web.Application(middlewares=[_failures])
        app.add_routes(
            [
                web.get("/api/services", self._services),
                web.get("/api/services/{service}/operations", self._operation_names),
                web.get("/api/operations", self._operations),
                web.get("/api/traces", self._traces),
                web.get("/api/traces/{id}", self._trace),
                web.get("/api/dependencies", self._dependencies),
                web.get("/status", self._status),
            ]
        )
        app.on_cleanup.append(self._close)
        return app

    async def _services(self, request: web.Request) -> web.Response:
        services = await self._read(self._search.services)
        return _answer(request, _json(services), total=len(services))

    async def _operation_names(self, request: web.Request) -> web.Response:
        found = await self._read(self._search.operations, unquote(request.match_info["service"]))
        names = sorted({name for name, _ in found})
        return _answer(request, _json(names), total=len(names))

    async def _operations(self, request: web.Request) -> web.Response:
        service = request.query.get("service", "")
        if not service:
            raise jaeger.BadParameter("parameter 'service' is required")
        found = await self._read(self._search.operations, service, request.query.get("spanKind", ""))
        return _answer(request, _json([{"name": name, "spanKind": kind} for name, kind in found]), total=len(found))

    async def _trace(self, request: web.Request) -> web.Response:
        trace = await self._read(self._search.trace, jaeger.trace_id(request.match_info["id"]))
        if trace is None:
            return _failure(404, "trace not found")
        return _answer(request, f"[{trace}]")

    async def _traces(self, request: web.Request) -> web.Response:
        found = await self._read(self._search.traces, jaeger.trace_query(_parameters(request), now=_now()))
        return _answer(request, f"[{','.join(found.traces)}]", errors=found.errors)

    async def _dependencies(self, request: web.Request) -> web.Response:
        start, end = jaeger.dependency_window(_parameters(request), now=_now())
        service = request.query.get("service", "")
        links = [
            {"parent": parent, "child": child, "callCount": count}
            for parent, child, count in await self._read(self._search.dependencies, start, end)
            if service in {"", parent, child}
        ]
        return _answer(request, _json(links))

    async def _status(self, _: web.Request) -> web.Response:
        status = {
            "received": asdict(self._intake.counts),
            "stored_spans": await self._read(self._search.span_count),
            "waiting_bytes": self._intake.waiting_bytes,
            "failing": self._intake.failing,
        }
        return web.json_response(status)

    async def _read(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._readers, ask, *arguments)

    async def _close(self, _: web.Application) -> None:
        self._readers.shutdown(cancel_futures=True)


@web.middleware
async def _failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except jaeger.BadParameter as error:
        return _failure(400, str(error))
    except SearchError as error:
        return _failure(503, str(error))
    except web.HTTPException as error:
        return _failure(error.status, error.reason)


def _answer(request: web.Request, data: str, *, total: int = 0, errors: Any = None) -> web.Response:
    text = jaeger.envelope(data, total=total, errors=errors or None)
    if request.query.get("prettyPrint", "false") not in {"", "false"}:
        text = json.dumps(json.loads(text), indent=4, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json")


def _failure(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=jaeger.error(status, message) + "\n", content_type="application/json")


def _parameters(request: web.Request) -> jaeger.Parameters:
    return {name: request.query.getall(name) for name in request.query}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _now() -> int:
    return time.time_ns() // 1000
