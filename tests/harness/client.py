"""gRPC clients that follow the mesh, in a process each: a language's official library, and nothing else.

gRPC reads its bootstrap once a process; so each client that follows another control plane needs one. The programs, one
a language, are in tests/clients. They take a command a line and answer each with a line, both JSON:

{"do": "call", "service", "path", "metadata": [[key, value]], "timeout": seconds or null, "count", "at_once": bool}
    -> {"answer": [[instance, status, seconds], one a call]}
{"do": "start_load", "service", "path", "metadata", "timeout", "every": seconds} -> {"answer": null}
{"do": "stop_load"} -> {"answer": [[instance, status, seconds], one a call]}; the last is made after the command
{"do": "close", "service"} -> {"answer": null}; closes the only channel there is to a service
{"do": "config"} -> {"answer": [{"type", "name", "state", "version"}, one a resource]}; what the library says it holds
or {"error": why it could not be done}. A call is made without a deadline if its timeout is null; whatever the method,
a request of Echo is sent, and the instance read from a response of Echo. A status is a number.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc

from .instance import CONTRACT

DEADLINE = 60.0
"""Seconds that any command may take."""

ROOT = Path(__file__).parents[2]

LANGUAGES = ("python", "go")

Program = tuple[str | Path, ...]
"""The command that starts a client."""

PYTHON: Program = (sys.executable, ROOT / "tests/clients/python/main.py")

STATUSES = {code.value[0]: code.name for code in grpc.StatusCode}


def build(folder: Path) -> dict[str, Program]:
    """Build the client of every language, in a folder."""
    program = folder / "go"
    subprocess.run(["go", "build", "-o", program, "./tests/clients/go"], cwd=ROOT, check=True, timeout=300)
    return {"python": PYTHON, "go": (program,)}


class Call(NamedTuple):
    """How a call went."""

    answer: str
    """Who answered, or the status as `!UNAVAILABLE`."""
    seconds: float


class Client:
    """One client process, in Python unless told otherwise. `async with` starts and ends it."""

    def __init__(self, bootstrap: str, log: Path, program: Program = PYTHON) -> None:
        self._bootstrap = bootstrap
        self._log = log
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._program,
                env={"GRPC_XDS_BOOTSTRAP_CONFIG": self._bootstrap, "GRPC_VERBOSITY": "NONE"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=2**24,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()

    async def call(self, service: str, count: int = 1, **how: Any) -> list[str]:
        """Call as `timed` does. Gives who answered each, or the status code as `!UNAVAILABLE`."""
        return [call.answer for call in await self.timed(service, count, **how)]

    async def timed(
        self,
        service: str,
        count: int = 1,
        *,
        method: str = "Echo",
        timeout: float | None = 5.0,  # noqa: ASYNC109 - of the call
        metadata: Mapping[str, str] | None = None,
        at_once: bool = False,
    ) -> list[Call]:
        """Call one after the other, or all at once. A method that begins with a slash is a whole path."""
        how = _how(service, method, timeout, metadata)
        return list(map(_read, await self._do("call", count=count, at_once=at_once, **how)))

    async def until(self, service: str, instances: Iterable[str], within: float = 15.0, **how: Any) -> float:
        """Call until exactly these answer, an even share each. Gives how many seconds that took."""
        began = time.monotonic()
        expected = dict.fromkeys(sorted(instances), 4)
        while (answers := Counter(await self.call(service, 4 * len(expected), **how))) != expected:
            if time.monotonic() - began > within:
                raise AssertionError(f"{service} is answered by {dict(answers)}, expected {expected}, after {within} s")
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def start_load(self, service: str, *, every: float = 0.01) -> None:
        """Begin to call every so many seconds, whatever comes back."""
        await self._do("start_load", every=every, **_how(service, "Echo", 5.0, {}))

    async def stop_load(self) -> Counter[str]:
        """Stop calling, after one more call. Gives how often each instance answered, and each status code."""
        return Counter(_read(each).answer for each in await self._do("stop_load"))

    async def config(self) -> list[dict[str, str]]:
        """What the client itself says it holds (CSDS): type, name, state and version of each resource."""
        return [{**each, "type": each["type"].rpartition(".")[2]} for each in await self._do("config")]

    async def close(self, service: str) -> None:
        """Close the channel to a service; the next call opens another."""
        await self._do("close", service=service)

    def pause(self) -> None:
        """Have the process stand still: its connections stay, and nobody answers on them."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    async def _do(self, command: str, **arguments: Any) -> Any:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        async with asyncio.timeout(DEADLINE):
            line = await self._process.stdout.readline()
        assert line, f"the client ended:\n{self._log.read_text()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["answer"]


def _how(service: str, method: str, seconds: float | None, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    path = method if method.startswith("/") else f"/{CONTRACT}/{method}"
    return {"service": service, "path": path, "timeout": seconds, "metadata": [*(metadata or {}).items()]}


def _read(answer: tuple[str, int, float]) -> Call:
    instance, status, seconds = answer
    return Call(f"!{STATUSES[status]}" if status else instance, seconds)
