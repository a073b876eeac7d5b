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

from gossamer_mesh.declare.service import STORES
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
    def entries(self) -> Path:
        """What the stack has written of Consul's entries."""
        return self.path / "entries.json"

    @property
    def _lock(self) -> Path:
        """Locked by the supervisor as long as it runs; holds the path of its socket."""
        return self.path / "supervisor.lock"

    def require_ours(self) -> None:
        """Refuse a folder that holds what is none of a stack's.

        Raises:
            Problem: it does.
        """
        if self.path.is_dir() and any(self.path.iterdir()) and not self._mark.exists():
            raise Problem(
                f"the state folder {self.path} holds files that are none of a stack's; "
                "set GOSSAMER_STATE to a folder that is empty or not there yet"
            )

    def make(self) -> None:
        """Make the folder and those in it.

        Raises:
            Problem: it holds what is none of ours.
        """
        self.require_ours()
        for folder in (self.path, self.logs, self.programs):
            folder.mkdir(parents=True, exist_ok=True)
        self._mark.touch()

    def erase(self) -> None:
        """Remove all that a stack keeps, and nothing else that may lie beside it; do nothing when it is not there.

        Raises:
            Problem: it holds what is none of ours.
            OSError: something can't be removed.
        """
        self.require_ours()
        parts = (self.path / name for name in ("consul", *STORES))
        for folder in (self.logs, self.programs, self._run, *parts):
            if folder.is_dir():
                shutil.rmtree(folder)
        for file in (
            self._lock,
            self.path / "starting.lock",
            self.entries,
            *self.path.glob(f"{self.traces.name}*"),
            self._mark,
        ):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    @property
    def _mark(self) -> Path:
        """Says that the folder is one of ours, so that no other is ever written to or erased."""
        return self.path / "gossamer-state"

    @property
    def _run(self) -> Path:
        """Holds the supervisor's socket; closed to other users."""
        return self.path / "run"

    @contextlib.contextmanager
    def supervising(self) -> Iterator[Path]:
        """Be this stack's only supervisor while the block runs; gives the path that its socket is to have.

        Raises:
            Problem: another one runs.
        """
        with self._held(self._lock, within=1.0) as descriptor:  # someone who only looks holds it for a moment
            socket = _socket(self._run, self.path)
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


def _socket(run: Path, state: Path) -> Path:
    """Choose a path for the supervisor's socket: in a folder of the user's own, and short, as sockets need it.

    In the state folder where that is short enough: what a system keeps for a login (XDG_RUNTIME_DIR) goes at its end.

    Raises:
        Problem: the folder can't be made, or belongs to someone else.
    """
    named = f"{hashlib.sha256(os.fsencode(state)).hexdigest()[:16]}.sock"
    elsewhere = f"gossamer-{os.getuid()}"
    places = (run / "supervisor.sock", Path(tempfile.gettempdir(), elsewhere, named), Path("/tmp", elsewhere, named))  # noqa: S108 - checked below
    socket = next((place for place in places if len(os.fsencode(place)) <= LONGEST_SOCKET), places[-1])
    folder = socket.parent
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
