"""A whole stack, started by the command that a person types, in a state folder of its own and on free ports."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from gossamer_mesh.local import ended, parts

ROOT = Path(__file__).parents[2]
GOSSAMER = Path(sys.executable).parent / "gossamer"
GRPCURL = str(parts.have("grpcurl"))


class Stack:
    """The verbs of one stack. Nothing runs until up() is called; what runs when the block ends is ended and removed."""

    def __init__(
        self,
        state: Path,
        root: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        gossamer: Path = GOSSAMER,
    ) -> None:
        self.state = state
        self.gossamer = gossamer
        self.root = root
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GOSSAMER_", "CONSUL_"))},
            "GOSSAMER_STATE": str(state),
            "GOSSAMER_PORT_OFFSET": "free",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def run(
        self, *words: str, within: float = 120, check: bool = True, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb with a text as input and give what it printed; a status other than 0 fails unless check is off."""
        done = subprocess.run(
            [self.gossamer, *words],
            cwd=self.root,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"gossamer {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def up(self) -> list[dict[str, Any]]:
        """Start it and give its processes."""
        return json.loads(self.run("up", "--json", within=600).stdout)

    def down(self) -> None:
        """End it and remove what it kept."""
        self.run("down", "--erase")

    def processes(self) -> dict[str, dict[str, Any]]:
        """Give its processes by name."""
        return {each["name"]: each for each in json.loads(self.run("ps", "--json").stdout)["processes"]}

    def address(self, name: str) -> str:
        """Give where a process listens."""
        return str(self.processes()[name]["address"])

    def call(self, service: str, method: str, request: object, *words: str) -> dict[str, Any]:
        """Call a method through the mesh and give its one answer, or {"error": ...}."""
        done = self.run("call", service, method, "-", "--json", *words, check=False, text=json.dumps(request))
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def serves(self, *names: str, instead_of: int = 0) -> bool:
        """Tell whether processes serve, none with that number, and instances among them pass their checks."""
        processes = self.processes()
        return all(
            processes[name]["state"] == "serving"
            and processes[name]["pid"] != instead_of
            and processes[name].get("health", "passing") == "passing"
            for name in names
        )


def lives(pid: int) -> bool:
    """Tell whether a process of that number runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return ended.lives(psutil.Process(pid))
    return False


def eventually(what: Callable[[], Any], within: float = 30) -> Any:
    """Ask again until the answer is true, and give it; fail when it is not within so many seconds."""
    deadline = time.monotonic() + within
    while not (answer := what()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.05)
    return answer
