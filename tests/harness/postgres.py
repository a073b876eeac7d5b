"""A real PostgreSQL for tests: on a free port, in a folder of its own, gone afterwards.

    with running_postgres() as postgres:
        url = postgres.database("orders")
        postgres.kill()      # kill -9, with everything it started
        postgres.start()     # again, on the same port, with the same data
        postgres.pause()     # it hangs, until resume()

Works as root (it then runs as an unprivileged user) and not as root. Nothing here needs an event loop, so one server
can serve a whole session of tests.
"""

import asyncio
import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil

from gossamer_mesh.local.ended import until_ended
from gossamer_mesh.local.postgres import STOP_SIGNAL, Postgres

from .ports import free_ports

_PATIENCE = 60.0


class PostgresServer:
    """One PostgreSQL that a test may start, kill and pause as it likes."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self.fsync = fsync
        self.postgres = Postgres(state=folder / "postgres", port=free_ports(1)[0])
        self.log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None

    @property
    def process(self) -> psutil.Process | None:
        """The process that runs it, and started all others; none when it was ended."""
        return psutil.Process(self._process.pid) if self._process else None

    def start(self) -> None:
        """Start it, on the data it had before, and wait until it answers."""
        asyncio.run(self.postgres.prepare())
        with self.log.open("ab") as log:
            command = [*self.postgres.command, *([] if self.fsync else ["--fsync=off"])]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.postgres.process_options,
            )
        try:
            asyncio.run(self._until_ready())
        except BaseException as error:
            self.kill()
            error.add_note(f"what PostgreSQL said last:\n{self.log.read_text(errors='replace')[-3000:]}")
            raise

    def database(self, name: str) -> str:
        """Make a database with a role of its own; return its URL."""
        return asyncio.run(self.postgres.ensure_database(name))

    def kill(self) -> None:
        """Kill it with -9, with every process it started, and return when all are gone."""
        killed = self._signal(signal.SIGKILL)
        self._end()
        assert until_ended(killed, within=_PATIENCE) == []

    def stop(self) -> None:
        """Stop it in order."""
        if self._process:
            self._process.send_signal(STOP_SIGNAL)
        self._end()

    def pause(self) -> None:
        """Let it hang: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    async def _until_ready(self) -> None:
        """Wait until it answers; one that has ended never will."""
        ready = asyncio.create_task(self.postgres.wait_ready(within=_PATIENCE))
        while not ready.done():
            await asyncio.wait([ready], timeout=0.1)
            if self._process and self._process.poll() is not None:
                ready.cancel()
                raise AssertionError(f"PostgreSQL ended with {self._process.returncode} instead of answering")
        ready.result()

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        """Send all its processes a signal, and tell which they were."""
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = [self.process, *self.process.children(recursive=True)] if self.process else []
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            return processes
        return []

    def _end(self) -> None:
        if self._process:
            self._process.wait(_PATIENCE)
            self._process = None


async def until_blocked(url: str) -> None:
    """Wait until someone in the database waits for a lock that another holds."""
    watcher = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(_PATIENCE):
            while not await watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.02)
    finally:
        watcher.terminate()


@contextlib.contextmanager
def running_postgres(*, fsync: bool = True) -> Iterator[PostgresServer]:
    """Run a PostgreSQL for the time of a test, or of many.

    Without fsync it answers without waiting for the disk, which other programs may keep busy for seconds. What was
    answered still outlives a kill, since the system has it; only a power cut would lose it.
    """
    with tempfile.TemporaryDirectory(prefix="gossamer-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # the user that PostgreSQL runs as has to pass
        server = PostgresServer(folder, fsync=fsync)
        server.start()
        try:
            yield server
        finally:
            server.kill()
            server.postgres.erase()
