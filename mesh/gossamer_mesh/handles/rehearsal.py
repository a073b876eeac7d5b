"""A Consul agent of our own, in memory, for as long as a block runs: what it takes and compiles, a real one would.

It ends with the block, and with this process however that ends: a shell waits at the other end of a pipe for that.
"""

import asyncio
import contextlib
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from gossamer_mesh.consul import ConsulSource, questions
from gossamer_mesh.consul.asking import ask
from gossamer_mesh.consul.client import Client
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.model import Entries, Mesh

SHELL = """
exec 3<&0
"$@" >"$0" 2>&1 3<&- &
agent=$!
{ read -r line <&3; kill -9 $agent 2>/dev/null; rm -rf "${0%/*}"; } &
wait $agent
"""
"""Runs the command after the file for its output; kills it and removes the file's folder when standard input ends."""

STARTS_WITHIN = 20.0
READ_WITHIN = 20.0
WRITTEN_WITHIN = 10.0
ENDS_WITHIN = 5.0
TRIES = 3
"""How often it is started when it ends at once: a port may have been taken since it was found to be free."""

PORTS = ("http", "server", "serf-lan")
NO_PORTS = ("serf-wan", "dns", "grpc", "grpc-tls")

WRITTEN = re.compile(r"Config entry written: (\S+)")
NOT_WRITTEN = re.compile(
    r"Error writing config entry (\S*): Unexpected response code: \d+ \((.*)\)(?: — .*)?", re.DOTALL
)
NO_ENTRY = "Failed to decode config entry input: "


class RehearsalError(Exception):
    """There can be no rehearsal. The message says why, and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What became of an entry."""

    name: str
    """`service-router/catalog`; empty when the text is no entry."""
    refusal: str
    """In Consul's words; empty: it was taken."""


class Rehearsal:
    """One throw-away Consul."""

    def __init__(self, program: Path, url: str) -> None:
        self._program = program
        self.url = url

    async def write(self, text: str) -> Tried:
        """Write an entry as `consul config write` does. Raises `RehearsalError`."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            *("config", "write", f"-http-addr={self.url}", "-"),
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                output, _ = await process.communicate(text.encode())
        except TimeoutError:
            raise RehearsalError(f"expected consul config write to end within {WRITTEN_WITHIN:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _tried(output.decode(errors="replace").strip())

    async def entries(self) -> Entries:
        """Read everything that was written, as a control plane does. Raises `RehearsalError`."""
        first = _First()
        watch = asyncio.create_task(ConsulSource(self.url).watch(first))
        try:
            return (await asyncio.wait_for(first.mesh, READ_WITHIN)).entries
        except TimeoutError:
            raise RehearsalError(f"expected the rehearsal's Consul to be read within {READ_WITHIN:.0f} s") from None
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


class _First:
    """Takes the first reading of a source."""

    def __init__(self) -> None:
        self.mesh: asyncio.Future[Mesh] = asyncio.get_running_loop().create_future()

    def heard(self) -> None:
        """Do nothing (`Listener`)."""

    def read(self, mesh: Mesh, *, restarted: bool = False) -> None:
        """Take the first, and no other (`Listener`)."""
        del restarted
        if not self.mesh.done():
            self.mesh.set_result(mesh)

    def failed(self, reason: str) -> None:
        """Wait on: the source tries again (`Listener`)."""


@contextlib.asynccontextmanager
async def rehearsal(program: Path, datacenter: str = "dc1") -> AsyncIterator[Rehearsal]:
    """Start a Consul in a datacenter of that name. Raises `RehearsalError`."""
    if not program.is_file():
        raise RehearsalError(f"expected the program consul at {program}, found none: gossamer up brings it")
    with tempfile.TemporaryDirectory(prefix="gossamer-check-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "consul.log")
        for left in reversed(range(TRIES)):
            process, url = await _start(program, log, datacenter)
            try:
                if await _is_ready(url, process, log, last=not left):
                    yield Rehearsal(program, url)
                    return
            finally:
                await _end(process)


async def _start(program: Path, log: Path, datacenter: str) -> tuple[asyncio.subprocess.Process, str]:
    numbers = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True)) | dict.fromkeys(NO_PORTS, -1)
    process = await asyncio.create_subprocess_exec(
        shutil.which("sh") or "/bin/sh",
        *("-c", SHELL, log, program, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=rehearsal"),
        *(f"-{name}-port={number}" for name, number in numbers.items()),
        *(f"-datacenter={datacenter}", "-log-level=error", "-hcl=disable_update_check = true"),
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return process, f"http://127.0.0.1:{numbers['http']}"


async def _is_ready(url: str, process: asyncio.subprocess.Process, log: Path, *, last: bool) -> bool:
    """Wait for a leader; false when the agent ended and may be tried again."""
    try:
        async with asyncio.timeout(STARTS_WITHIN), Client(url) as client:
            while process.returncode is None:
                with contextlib.suppress(SourceError):
                    await ask(client, questions.names(client))
                    return True
                await asyncio.sleep(0.02)
    except TimeoutError:
        _give_up(log)
    if last:
        _give_up(log)
    return False


def _give_up(log: Path) -> NoReturn:
    lines = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise RehearsalError("\n".join(["expected a throw-away Consul to have a leader, but it has none:", *lines]))


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin  # noqa: S101 - started with a pipe
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _tried(output: str) -> Tried:
    if written := WRITTEN.fullmatch(output):
        return Tried(name=written[1], refusal="")
    if refused := NOT_WRITTEN.fullmatch(output):
        return Tried(name=refused[1], refusal=" ".join(refused[2].split()))
    words = output
    while words.startswith(NO_ENTRY):
        words = words.removeprefix(NO_ENTRY)
    return Tried(name="", refusal=" ".join(words.split()) or "it is empty")
