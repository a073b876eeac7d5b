"""`gossamer run`: servers on grpc-go and grpcio alone join a mesh, are called by name, and leave without harm."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from harness.client import Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT
from harness.ports import free_ports
from harness.process import Child

from gossamer_mesh.local import parts

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
GOSSAMER = Path(sys.executable).with_name("gossamer")
WITHIN = 30.0
CALLS_FOR_S = 3.0
"""How long calls go on before and after an instance is told to end: a drain takes one second and a bit."""

_numbers = itertools.count()


@pytest.fixture(scope="module", params=["go", "python"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A server that knows nothing of a mesh, in each language."""
    if request.param == "python":
        return (sys.executable, str(ROOT / "tests/foreign/python/main.py"))
    built = tmp_path_factory.mktemp("foreign") / "server"
    subprocess.run(["go", "build", "-o", built, "./tests/foreign/go"], cwd=ROOT, check=True, timeout=300)
    return (str(built),)


class Runs:
    """Starts `gossamer run` with a service of the test's own, and kills what is left."""

    def __init__(self, consul: Consul, control: ControlPlane, folder: Path) -> None:
        self.service = f"legacy{next(_numbers)}"
        self.consul = consul
        self._control = control
        self._folder = folder
        self._running: list[Child] = []

    async def start(self, name: str, *command: str, port: int = 0, words: tuple[str, ...] = ()) -> Child:
        """Run a command, in which {port} and {name} are put in, as an instance of that name."""
        port = port or free_ports(1)[0]
        given = ("--service", self.service, "--port", str(port), "--instance", self.id(name))
        mesh = ("--consul", self.consul.url, "--control", self._control.address)
        filled = [word.format(port=port, name=name) for word in command]
        log = self._folder / f"{name}.log"
        child = await Child.start(GOSSAMER, "run", *given, *mesh, *words, "--", *filled, log=log, announces=False)
        self._running.append(child)
        return child

    def id(self, name: str) -> str:
        return f"{self.service}-{name}"

    async def registered(self, *names: str) -> None:
        """Wait until these pass their checks and no other is there."""
        expected = sorted(map(self.id, names))
        await until(lambda: self.consul.instances(self.service), lambda found: found == expected)

    async def kill(self) -> None:
        for child in self._running:
            servers = children(child.pid) if child.status is None else []
            await child.end(signal.SIGKILL)
            for server in servers:  # each leads a session of its own
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server, signal.SIGKILL)


async def until(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(WITHIN):
        while not good(answer := await ask()):
            await asyncio.sleep(0.05)
    return answer


@pytest_asyncio.fixture(loop_scope="module")
async def runs(consul: Consul, control: ControlPlane, tmp_path: Path) -> AsyncIterator[Runs]:
    runs = Runs(consul, control, tmp_path)
    yield runs
    await runs.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def caller(control: ControlPlane, tmp_path: Path, programs: Any) -> AsyncIterator[Client]:
    async with Client(control.bootstrap(), tmp_path / "client.log", programs["go"]) as client:
        yield client


@pytest.mark.parametrize("known", [(), ("known",)], ids=["by its port", "by its health"])
async def test_a_server_is_registered_once_it_serves_and_called_by_name(
    runs: Runs, program: tuple[str, ...], known: tuple[str, ...], caller: Client
) -> None:
    await runs.start("a", *program, "{port}", "{name}", *known)
    await runs.registered("a")
    await caller.until(runs.service, "a")
    (entry,) = await runs.consul.get(f"/v1/health/service/{runs.service}")
    assert entry["Service"]["Meta"]["contracts"] == (CONTRACT if known else "")


async def test_one_without_health_is_critical_as_long_as_its_port_can_not_be_connected_to(
    runs: Runs, program: tuple[str, ...], tmp_path: Path
) -> None:
    """The shell goes on when the server has died, and starts another one after the test looked."""
    again = tmp_path / "again"
    serve = f"{' '.join(program)} {{port}} {{name}}"
    child = await runs.start("a", "sh", "-c", f"{serve}; until [ -e {again} ]; do sleep 0.1; done; {serve}")
    await runs.registered("a")
    (server,) = children(children(child.pid)[0])
    os.kill(server, signal.SIGKILL)
    await runs.registered()
    assert await runs.consul.instances(runs.service, passing=False) == [runs.id("a")]
    again.touch()
    await runs.registered("a")


async def test_contracts_can_be_named(runs: Runs, program: tuple[str, ...]) -> None:
    await runs.start("a", *program, "{port}", "{name}", words=("--contract", CONTRACT, "--version", "v7"))
    await runs.registered("a")
    (entry,) = await runs.consul.get(f"/v1/health/service/{runs.service}")
    meta = entry["Service"]["Meta"]
    assert (meta["contracts"], meta["version"], meta["zone"]) == (CONTRACT, "v7", "local")


@pytest.mark.parametrize(("told", "harmless"), [("the command", True), ("the server itself", False)])
async def test_told_to_end_under_load_no_call_fails(
    runs: Runs, program: tuple[str, ...], caller: Client, told: str, harmless: bool
) -> None:
    """The server's contract is not told, so that no call is tried again. The control is the same signal past the
    command: then some of the same calls fail."""
    for name in ("a", "b"):
        await runs.start(name, *program, "{port}", "{name}")
    await runs.registered("a", "b")
    await caller.until(runs.service, "ab")
    await caller.start_load(runs.service)
    await asyncio.sleep(CALLS_FOR_S)
    one = runs._running[0]
    if told == "the command":
        ended = await one.end(signal.SIGTERM)
        assert ended == 128 + signal.SIGTERM, "the server has no handler for it, and so it is its status"
    else:
        (server,) = children(one.pid)
        os.kill(server, signal.SIGTERM)
    await asyncio.sleep(CALLS_FOR_S)
    answers = await caller.stop_load()
    failed = {answer: count for answer, count in answers.items() if answer not in ("a", "b")}
    assert (failed == {}) is harmless, answers
    assert min(answers["a"], answers["b"]) > 50
    await runs.registered("b")


async def ended(child: Child) -> int:
    """Wait until it has ended by itself, and give its status; the signal is one that does nothing."""
    return await child.end(signal.SIGCONT)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_drain_is_in_order(runs: Runs, program: tuple[str, ...]) -> None:
    """Maintenance comes first, while the server still answers; it is gone from Consul when the command has ended."""
    child = await runs.start("a", *program, "{port}", "{name}")
    await runs.registered("a")
    (server,) = children(child.pid)
    child.send(signal.SIGTERM)
    checks = await until(
        lambda: runs.consul.get(f"/v1/health/checks/{runs.service}"),
        lambda found: any(check["CheckID"].startswith("_service_maintenance") for check in found),
    )
    assert checks
    os.kill(server, 0)
    await ended(child)
    assert await runs.consul.instances(runs.service, passing=False) == []


async def test_an_agent_that_forgets_is_told_again(runs: Runs, program: tuple[str, ...]) -> None:
    await runs.start("a", *program, "{port}", "{name}")
    await runs.registered("a")
    await runs.consul.deregister(runs.id("a"))
    await runs.registered("a")


SHELL = ("sh", "-c")


async def test_a_server_that_ends_by_itself_leaves_at_once_with_its_status(
    runs: Runs, program: tuple[str, ...]
) -> None:
    script = (
        f"{' '.join(program)} {{port}} {{name}} & server=$!; trap 'kill $server; exit 7' USR1; while :; do wait; done"
    )
    child = await runs.start("a", *SHELL, script)
    await runs.registered("a")
    assert await child.end(signal.SIGUSR1) == 7, "a signal that is none of ours is passed on"
    assert await runs.consul.instances(runs.service, passing=False) == []
    assert "ended without being told to" in child.errors()


async def test_a_server_that_ignores_sigterm_is_killed_in_time(runs: Runs, program: tuple[str, ...]) -> None:
    script = f"trap '' TERM; {' '.join(program)} {{port}} {{name}}; sleep 60"
    child = await runs.start("a", *SHELL, script, words=("--drain", "2s"))
    await runs.registered("a")
    assert await child.end(signal.SIGTERM) == 128 + signal.SIGKILL
    assert "still runs after 2 s: killed" in child.errors()


async def test_a_second_signal_skips_the_waiting(runs: Runs, program: tuple[str, ...]) -> None:
    """Nobody answers where the control plane should be: the drain would wait for it for five seconds."""
    child = await runs.start("a", *program, "{port}", "{name}", words=("--control", "127.0.0.1:1"))
    await runs.registered("a")
    child.send(signal.SIGINT)
    await until(lambda: asyncio.to_thread(child.errors), lambda said: "draining" in said)
    began = asyncio.get_running_loop().time()
    await child.end(signal.SIGINT)
    assert asyncio.get_running_loop().time() - began < 4
    assert "hasn't confirmed" not in child.errors()


async def test_a_server_that_never_serves_is_ended_and_told(runs: Runs) -> None:
    child = await runs.start("a", "sleep", "60", words=("--start", "500ms"))
    assert await ended(child) == 1
    assert "expected a gRPC server at 127.0.0.1:" in child.errors()
    assert "within 0.5 s, found none that serves" in child.errors()
    assert await runs.consul.instances(runs.service, passing=False) == []


async def test_a_server_that_ends_before_it_serves_gives_its_status(runs: Runs) -> None:
    child = await runs.start("a", *SHELL, "exit 9")
    assert await ended(child) == 9


async def test_a_program_that_is_not_there_is_named(runs: Runs) -> None:
    child = await runs.start("a", "./no-such-server")
    assert await ended(child) == 127
    assert "./no-such-server can't be started: No such file or directory" in child.errors()


async def test_a_port_in_use_is_named_with_its_holder_and_nothing_is_started(runs: Runs, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = await runs.start("a", "touch", str(tmp_path / "started"), port=port)
        assert await ended(child) == 1
    assert f"port {port} is in use by " in child.errors()
    assert not (tmp_path / "started").exists()


async def test_without_a_mesh_it_says_how_to_start_one(tmp_path: Path) -> None:
    (tmp_path / "gossamer.yaml").write_text("name: tiny\n")
    words = ("run", "--service", "legacy", "--port", str(free_ports(1)[0]), "--", "true")
    environment = {"PATH": parts.search_path()}
    done = await asyncio.to_thread(
        subprocess.run, [GOSSAMER, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "gossamer up" in done.stderr
