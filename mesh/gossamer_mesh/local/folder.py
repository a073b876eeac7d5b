"""Where a stack keeps what it must remember: a folder, a lock, and a socket that only its user can open."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gossamer_mesh.errors import Problem

LONGEST_SOCKET = 103  # bytes; the system with the shortest limit takes no more


@dataclass(frozen=True)
class StateFolder:
    """The state folder of one stack, and the names of what lies in it."""

    path: Path

    @property
    def logs(self) -> Path:
        """One file for each process, named after it."""
        return self.path / "logs"

    @property
    def programs(self) -> Path:
        """The built services, each with the fingerprint of its sources."""
        return self.path / "bin"

    @property
    def traces(self) -> Path:
        """The collector's file."""
        return self.path / "traces.db"

    @property
    def _lock(self) -> Path:
        """Locked by the supervisor as long as it runs; holds the path of its socket."""
        return self.path / "supervisor.lock"

    def make(self) -> None:
        """Make the folder and those in it."""
        for folder in (self.path, self.logs, self.programs):
            folder.mkdir(parents=True, exist_ok=True)

    def erase(self) -> None:
        """Remove all that a stack keeps, and nothing else that may lie beside it."""
        for folder in (self.logs, self.programs, self.path / "consul", self.path / "postgres"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self._lock, self.path / "starting.lock", *self.path.glob(f"{self.traces.name}*")):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    @contextlib.contextmanager
    def supervising(self) -> Iterator[Path]:
        """Be this stack's only supervisor while the block runs; gives the path that its socket is to have.

        Raises:
            Problem: another one runs.
        """
        with self._held(self._lock, within=1.0) as descriptor:  # someone who only looks holds it for a moment
            socket = _socket(self.path)
            os.truncate(descriptor, 0)
            os.write(descriptor, os.fsencode(socket))
            socket.unlink(missing_ok=True)
            try:
                yield socket
            finally:
                socket.unlink(missing_ok=True)

    def is_supervised(self) -> bool:
        """Tell whether a supervisor runs, whether or not it answers."""
        if not self._lock.is_file():
            return False
        with self._lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def socket(self) -> Path | None:
        """Give the socket of the supervisor that runs; None when none does, or none yet."""
        if not self.is_supervised():
            return None
        path = Path(os.fsdecode(self._lock.read_bytes()) or "/nowhere")
        return path if path.exists() else None

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Keep others from starting this stack while the block runs; waits for them."""
        self.make()
        with self._held(self.path / "starting.lock", within=120.0):
            yield

    @staticmethod
    @contextlib.contextmanager
    def _held(path: Path, *, within: float) -> Iterator[int]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + within
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Problem(f"another process runs or starts this stack ({path} is locked)") from None
                    time.sleep(0.02)
            yield descriptor
        finally:
            os.close(descriptor)


def _socket(state: Path) -> Path:
    """Choose a path for the supervisor's socket: in a folder of the user's own, and short, as sockets need it.

    Raises:
        Problem: the folder can't be made, or belongs to someone else.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = Path(runtime).is_absolute() and os.access(runtime, os.W_OK)
    for parent in (runtime if usable else tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder is checked below
        folder = Path(parent, f"gossamer-{os.getuid()}")
        socket = folder / f"{hashlib.sha256(os.fsencode(state)).hexdigest()[:16]}.sock"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET:
            break
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise Problem(
            f"no folder for the supervisor's socket: {error}; set TMPDIR to one that you can write"
        ) from error
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise Problem(f"{folder} must belong to you and be closed to others; remove it and try again")
    return socket
