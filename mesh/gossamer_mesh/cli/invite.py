"""The copyable commands that `gossamer up` ends with, and grpcurl, which they are written for."""

import asyncio
import contextlib
import shlex
import shutil
import sys
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.cli import show
from gossamer_mesh.declare import Workspace
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import parts

LINK = Path(sys.prefix) / "bin" / "grpcurl"


def bring_grpcurl(root: Path) -> "Future[None]":
    """Have grpcurl beside gossamer in the background, built when there is none; without it, the stack runs as well.

    The build takes a minute, and a command that is interrupted does not wait for it.
    """
    future: Future[None] = Future()
    threading.Thread(target=_bring, args=(root, future), daemon=True).start()
    return future


def _bring(root: Path, future: "Future[None]") -> None:
    try:
        with contextlib.suppress(Problem, OSError):
            found = asyncio.run(parts.bring("grpcurl", root, lambda _: None))
            if found.origin != "PATH" and not LINK.exists():
                LINK.unlink(missing_ok=True)
                LINK.symlink_to(found.path)
    finally:
        future.set_result(None)


def lines(workspace: Workspace, stack: pb.Stack) -> list[str]:
    """Give commands that work as they stand: what the services invite to, then what to look at."""
    serving = {each.service: each.address for each in reversed(stack.processes) if show.state(each) == "serving"}
    gossamer, grpcurl = _name("gossamer"), _name("grpcurl")
    told: list[str] = []
    for name, address in sorted(serving.items()):
        if name and not told and grpcurl:
            told.append(f"{grpcurl} -plaintext {address} list")
        for attempt in workspace.services[name].attempts if name else ():
            body = shlex.quote(attempt.json.replace("{uuid}", str(uuid.uuid4())))
            if grpcurl:
                told.append(f"{grpcurl} -plaintext -d {body} {address} {attempt.method}")
            else:
                told.append(f"{gossamer} call {name} {attempt.method} {body}")
    first = next((each.name for each in stack.processes if each.service), "consul")
    told += [f"{gossamer} trace", f"{gossamer} ps", f"{gossamer} kill {first}", f"{gossamer} logs -f"]
    return told


def _name(program: str) -> str:
    """Give the word that starts a program from here: its name when on PATH, else where it lies; "" when nowhere."""
    own = Path(sys.prefix) / "bin" / program
    found = shutil.which(program)
    if found and (not own.exists() or Path(found).resolve() == own.resolve()):
        return program
    if not own.exists():
        return ""
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
