"""The collector's process: starts everything or nothing, says where it listens, and ends in order on SIGTERM."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before grpc is imported: its own log lines are no JSON

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from gossamer_mesh.collect import receive_http
from gossamer_mesh.collect.intake import Intake
from gossamer_mesh.collect.query import QueryApi
from gossamer_mesh.collect.receive_grpc import GrpcReceiver
from gossamer_mesh.collect.search import Search
from gossamer_mesh.collect.settings import Address, Settings, from_arguments
from gossamer_mesh.collect.store import Store
from gossamer_mesh.errors import Problem

_GRACE: Final = 2.0
"""Seconds that requests which are under way may take at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a collector until SIGTERM or SIGINT; give the exit status."""
    logging.basicConfig(handlers=[_LogHandler()], level=logging.WARNING)
    try:
        asyncio.run(_collect(from_arguments(sys.argv[1:] if arguments is None else arguments)))
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.status
    return 0


async def _collect(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with Store(settings.store, max_bytes=settings.max_bytes, max_age=settings.max_age) as store:
        if store.aside:
            log(
                "warning",
                f"{settings.store} was no sound store: set aside as {store.aside}; going on with an empty one",
            )
        async with Intake(store, log, on_failure=stop.set) as intake, contextlib.AsyncExitStack() as stack:
            addresses = await _listen(settings, intake, stack)
            sys.stdout.write(_line("info", "announce", addresses=addresses) + "\n")
            sys.stdout.flush()
            await stop.wait()
            log("info", "stopping")
        if intake.has_failed:
            raise Problem("the collector's writer failed, as its log says: start the collector again")


async def _listen(settings: Settings, intake: Intake, stack: contextlib.AsyncExitStack) -> dict[str, str]:
    """Bind all three ports, the one that is read last to end."""
    query = QueryApi(Search(settings.store), intake).application()
    addresses = {"query": await stack.enter_async_context(_serving(query, settings.query, "query"))}
    http = receive_http.application(intake)
    addresses["otlp_http"] = await stack.enter_async_context(_serving(http, settings.http, "http"))
    receiver = GrpcReceiver(intake)
    port = await receiver.start(settings.grpc)
    stack.push_async_callback(receiver.stop)
    return {"otlp_grpc": str(Address(host=settings.grpc.host, port=port)), **addresses}


@contextlib.asynccontextmanager
async def _serving(app: web.Application, address: Address, flag: str) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            advice = "stop what uses it, or pass another address"
            raise Problem(f"--{flag} {address}: can't be bound ({reason}): {advice}") from error
        yield str(Address(host=address.host, port=runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def log(level: str, message: str, /, **fields: object) -> None:
    """Write one JSON line on standard error; what can't be written is lost, as nothing may depend on a log."""
    line = _line(level, message, **fields) + "\n"
    with contextlib.suppress(OSError):  # past Python's buffer, which would keep it and fail again at the end
        os.write(sys.stderr.fileno(), line.encode(errors="backslashreplace"))


def _line(level: str, message: str, **fields: Any) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    known = {"time": now, "level": level, "service": "collector", "instance": "collector"}
    return json.dumps({**known, "message": message, **fields}, ensure_ascii=False)


class _LogHandler(logging.Handler):
    """Libraries' log records as our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, with its stack if it has one."""
        fields = {"stack": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        log(record.levelname.lower(), record.getMessage(), logger=record.name, **fields)


if __name__ == "__main__":
    sys.exit(main())
