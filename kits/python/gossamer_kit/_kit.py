"""The five steps of a service's main, and their end. It owns the order; each thing has its own file."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gossamer_kit import _drain, _logs
from gossamer_kit._client import Channel
from gossamer_kit._comeback import Comeback
from gossamer_kit._errors import KitError
from gossamer_kit._policies import Policies
from gossamer_kit._recording import Recorder
from gossamer_kit._registration import Registration
from gossamer_kit._server import Server
from gossamer_kit._telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    import grpc.aio

    from gossamer_kit._config import Config

Stub = TypeVar("Stub")
Servicer = TypeVar("Servicer")

_log = logging.getLogger(__name__)

_LAST_WORDS = 1.0


class Kit:
    """One instance of a service, from its configuration to its drain. Use it with `async with`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._telemetry = Telemetry(config)
        spans, durations = self._telemetry.spans, self._telemetry.durations
        incoming = durations("rpc.server.call.duration", "How long incoming calls take.")
        outgoing = durations("rpc.client.call.duration", "How long outgoing calls take.")
        self._outgoing = Recorder(spans, outgoing, server=False)
        self._server = Server(Recorder(spans, incoming, server=True))
        self._policies = Policies(config)
        self._comeback = Comeback(config.control, config.bootstrap) if config.control and config.bootstrap else None
        self._channels: dict[str, Channel] = {}
        self._registration: Registration | None = None
        self._port = 0
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._cleanup = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Take over signals and logs. Signals are given back last: one more must not kill what is about to end."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._signalled)
            self._cleanup.callback(loop.remove_signal_handler, name)
        self._cleanup.enter_context(_logs.to_standard_error(self.config))
        self._cleanup.push_async_callback(self._telemetry.close)
        if self._comeback is not None:
            await self._comeback.start()
            self._cleanup.push_async_callback(self._comeback.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End what still runs, at once: `wait` has drained before, unless something failed."""
        await self._server.stop(None)
        if self._registration is not None:
            await self._registration.leave()
            await self._registration.close()
        await self._policies.close()
        for channel in self._channels.values():
            await channel.close()
        await self._cleanup.aclose()

    async def unless_stopped(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do what may take long before `serve`. A signal ends it: then the answer is False, and main should return."""
        await _first(work, self._stopping.wait())
        return not self._stopping.is_set()

    def client(self, stub: Callable[[grpc.aio.Channel], Stub], service: str) -> Stub:
        """Open a client of a service by name. Balanced, retried and timed as the mesh says."""
        channel = self._channels.get(service)
        if channel is None:
            policy = self._policies.of(service)
            channel = self._channels[service] = Channel(self.config, service, policy, self._outgoing)
        return stub(channel)  # type: ignore[arg-type]  # it is all of a channel that a stub uses

    def add(self, register: Callable[[Servicer, Any], None], servicer: Servicer) -> None:
        """Add a contract, with the `add_..._to_server` that was generated for it, before `serve`."""
        self._server.add(register, servicer)

    async def serve(
        self, register: Callable[[Servicer, Any], None] | None = None, servicer: Servicer | None = None
    ) -> str:
        """Bind, answer and announce; health says NOT_SERVING. Returns the address as host:port.

        Raises BindError when the address can't be had.
        """
        if register is not None and servicer is not None:
            self.add(register, servicer)
        self._port = await self._server.listen(*self.config.listen)
        gc.collect()
        gc.freeze()  # what was loaded stays: looking through it again and again takes a tenth of a busy server's time
        host = self.config.advertise
        address = f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"
        _logs.announce(self.config, address, self._server.contracts)
        return address

    async def join(self) -> None:
        """Become healthy, then known to the mesh. Returns when both are so, or when a signal came first."""
        await self._server.health.serving()
        if self.config.consul is None:
            return
        self._registration = Registration(
            self.config, self.config.consul, self.config.advertise, self._port, self._server.contracts
        )
        await _first(self._registration.join(), self._stopping.wait())

    async def wait(self) -> None:
        """Wait for SIGTERM or SIGINT, then drain. A second signal ends the drain's waiting."""
        await self._stopping.wait()
        _log.info("draining")
        until = time.monotonic() + self.config.drain
        await self._server.health.draining()
        await _first(self._leave_mesh(), self._hurry.wait(), asyncio.sleep(self.config.drain))
        await self._stop(max(until - time.monotonic(), 0))
        if self._registration is not None:
            await self._registration.leave()
        _log.info("drained")

    async def _leave_mesh(self) -> None:
        """Have every client turn to other instances. Calls are still taken: some are on their way."""
        if self._registration is None:
            return
        await self._registration.drain()
        await _drain.unassigned(self.config.control, self.config.service, self.config.instance)

    async def _stop(self, grace: float) -> None:
        stopping = asyncio.ensure_future(self._server.stop(grace))
        await _first(asyncio.shield(stopping), self._hurry.wait())
        if not stopping.done():
            await self._server.stop(None)
        await stopping

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()


async def _first(*coroutines: Coroutine[Any, Any, object] | asyncio.Future[Any]) -> None:
    """Wait for the first of several, and end the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a service's main to its end, and the process with it: 0, 1 for a failure, 64 for bad configuration.

    What handlers left behind gets a second to end: asyncio would wait without limit for a task that ignores its
    cancellation, and for a thread.
    """
    status = 1
    runner = asyncio.Runner()
    try:
        runner.run(main())
        status = 0
    except KitError as error:
        sys.stderr.write(f"{error}\n")
        status = error.exit_status
    except Exception:  # noqa: BLE001  (told as the interpreter would, before something may keep it from that)
        traceback.print_exc()
    finally:
        watchdog = threading.Timer(_LAST_WORDS, os._exit, [status])
        watchdog.start()
        runner.close()
        watchdog.cancel()
    sys.exit(status)
