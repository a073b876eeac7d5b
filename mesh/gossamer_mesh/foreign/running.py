"""The life of a foreign server as an instance, in the order that the kits keep.

    started, serving, registered; told to end, in maintenance, called by nobody, sent SIGTERM, ended, deregistered

SIGTERM and SIGINT tell it to end: a second one skips the waiting, a third kills. Other signals go on to the server.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from gossamer.mesh.v1.mesh_pb2 import AwaitDrainRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.errors import Problem
from gossamer_mesh.foreign import server
from gossamer_mesh.foreign.health import PortHealth
from gossamer_mesh.foreign.registration import Place, Registration

Say = Callable[[str], None]
T = TypeVar("T")

ENDING = (signal.SIGTERM, signal.SIGINT)
PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
CONFIRMED_WITHIN_S = 5.0
"""How long a drain waits for the control plane, also while that is away."""
ASKS_EVERY_S = 0.1
AFTERWARDS_S = 1.0
"""For calls that were given the old assignment: a client accepts before its last pick."""
NOT_STARTED = 127


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One server, and as what it is known.

    Attributes:
        command: the program and its words.
        host: the address that the server listens on and others reach it by.
        contracts: what it serves; empty: what it says itself by reflection.
        consul: the agent's URL.
        control: the control plane's host:port; empty: a drain has nobody to ask.
        starts_within: seconds until it has to serve.
        drain: seconds that its end may take from the first signal on; then it is killed.
    """

    command: Sequence[str]
    service: str
    name: str
    host: str
    port: int
    version: str
    zone: str
    contracts: tuple[str, ...]
    consul: str
    control: str
    starts_within: float
    drain: float

    @property
    def address(self) -> str:
        """As host:port."""
        return f"{self.host}:{self.port}"


async def run(instance: Instance, say: Say) -> int:
    """Run a server until it ends or is told to; give its exit status, 128 and the signal's number if a signal ended it.

    Raises:
        Problem: it can't be started, or does not serve in time.
    """
    async with _Process(instance.command) as process:
        serving = server.until_it_serves(instance.address)
        has_health = await _unless(serving, process.over(), asyncio.sleep(instance.starts_within))
        if has_health:
            await _take_part(instance, instance.address, process, say)
        elif has_health is False:
            say("has no health: it counts as healthy while its port can be connected to")
            async with PortHealth(instance.host, instance.port) as health:
                await _take_part(instance, health.address, process, say)
        elif not process.is_over:
            raise Problem(
                f"expected a gRPC server at {instance.address} within {instance.starts_within:g} s, found none that "
                f"serves; have {instance.command[0]} listen there, or give it longer with --start"
            )
        return await process.end()


class _Process:
    """The server's process, and what it was told. It has a session of its own, or Ctrl-C would end it undrained."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._told = 0
        self._over = asyncio.Event()
        self.hurry = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command, start_new_session=True)
        except OSError as error:
            raise Problem(f"{self._command[0]} can't be started: {error.strerror}", NOT_STARTED) from error
        for number in ENDING:
            loop.add_signal_handler(number, self._tell)
        for number in PASSED_ON:
            loop.add_signal_handler(number, self.send, number)
        self._ended = asyncio.create_task(self._process.wait())
        self._ended.add_done_callback(lambda _: self._over.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.lives:
            self.send(signal.SIGKILL)
            await self._ended
        loop = asyncio.get_running_loop()
        for number in (*ENDING, *PASSED_ON):
            loop.remove_signal_handler(number)

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return not self._ended.done()

    @property
    def is_over(self) -> bool:
        """Whether it has ended or was told to."""
        return self._over.is_set()

    async def over(self) -> None:
        """Wait until it has ended or is told to."""
        await self._over.wait()

    async def gone(self) -> None:
        """Wait until it has ended."""
        await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def end(self) -> int:
        """Have it end at once if it still runs; give its status."""
        if self.lives:
            self.send(signal.SIGTERM)
        status = await self._ended
        return status if status >= 0 else 128 - status

    def _tell(self) -> None:
        self._told += 1
        self._over.set()
        if self._told == 2:  # noqa: PLR2004 - the second of three
            self.hurry.set()
        elif self._told > 2:  # noqa: PLR2004
            self.send(signal.SIGKILL)


async def _take_part(instance: Instance, health: str, process: _Process, say: Say) -> None:
    """Be an instance from now until the server has ended."""
    registration = Registration(instance.consul, await _place(instance, health, say), say)
    try:
        await _unless(registration.join(), process.over())
        await process.over()
        await _end(instance, process, registration, say)
    finally:
        await registration.leave()


async def _place(instance: Instance, health: str, say: Say) -> Place:
    contracts = instance.contracts or await server.contracts(instance.address)
    if contracts:
        say(f"serves {', '.join(contracts)}")
    else:
        say("does not tell its contracts by reflection; name them with --contract, or no retries are made for it")
    return Place(
        service=instance.service,
        instance=instance.name,
        host=instance.host,
        port=instance.port,
        health=health,
        meta={"version": instance.version, "zone": instance.zone, "contracts": ",".join(contracts)},
    )


async def _end(instance: Instance, process: _Process, registration: Registration, say: Say) -> None:
    """Drain and end a server that runs, in the time that it has; then kill it."""
    if not process.lives:
        say("ended without being told to")
        return
    say("draining")
    until = time.monotonic() + instance.drain
    leaving = _leave_mesh(instance, registration, say)
    await _unless(leaving, process.hurry.wait(), process.gone(), asyncio.sleep(instance.drain))
    process.send(signal.SIGTERM)
    await _unless(process.gone(), asyncio.sleep(max(until - time.monotonic(), 0)))
    if process.lives:
        say(f"still runs after {instance.drain:g} s: killed")
        process.send(signal.SIGKILL)
    await process.gone()


async def _leave_mesh(instance: Instance, registration: Registration, say: Say) -> None:
    """Have every client turn to other instances, while the server still takes calls: some are on their way."""
    await registration.drain()
    if instance.control:
        try:
            async with asyncio.timeout(CONFIRMED_WITHIN_S):
                await _unassigned(instance)
        except TimeoutError:
            say(f"the control plane at {instance.control} hasn't confirmed the drain; going on without")
    await asyncio.sleep(AFTERWARDS_S)


async def _unassigned(instance: Instance) -> None:
    """Ask until no client is given the instance. The control plane may be away meanwhile: then it is asked again."""
    longest = Duration(seconds=int(CONFIRMED_WITHIN_S))
    request = AwaitDrainRequest(service=instance.service, instance_id=instance.name, max_wait=longest)
    async with grpc.aio.insecure_channel(instance.control) as channel:
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                if (await MeshServiceStub(channel).AwaitDrain(request, wait_for_ready=True)).drained:
                    return
            await asyncio.sleep(ASKS_EVERY_S)


async def _unless(work: Coroutine[Any, Any, T], *others: Awaitable[object]) -> T | None:
    """Do some work; when one of others comes first, give it up and give None."""
    tasks = [asyncio.ensure_future(each) for each in (work, *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return None if tasks[0].cancelled() else tasks[0].result()  # type: ignore[return-value]  # it is that of the work
