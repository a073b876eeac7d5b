"""How one process is kept running: real processes, and a plan that says when they serve."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer_mesh.errors import Problem
from gossamer_mesh.local.process import Launch, Plan, Process, State

WITHIN_S = 20


async def never(_: str) -> None:
    await asyncio.Event().wait()


async def at_once(_: str) -> None:
    return


def sleeper(folder: Path, **changes: Any) -> Plan:
    async def give() -> Launch:
        return Launch(argv=["sleep", "1000"], environment={"PATH": "/usr/bin:/bin"}, folder=folder)

    plan = Plan(name="sleeper", launch=give, ready=at_once)
    return dataclasses.replace(plan, **changes)


@pytest.fixture
async def keep(tmp_path: Path) -> AsyncIterator[Callable[[Plan], Process]]:
    """Keep processes running, and end them all."""
    kept: list[Process] = []

    def start(plan: Plan) -> Process:
        process = Process(plan, tmp_path / "log", lambda: None)
        kept.append(process)
        process.start()
        return process

    yield start
    await asyncio.gather(*(process.stop() for process in kept))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_one_that_starts_and_never_serves_is_told_as_dying(keep: Any, tmp_path: Path) -> None:
    process = keep(sleeper(tmp_path, ready=never, ready_within=0.05))
    await until(lambda: "3 times in a row" in process.detail)
    assert process.state is State.BACKOFF
    assert process.detail.startswith("did not serve within")


async def test_one_that_served_long_enough_begins_again_with_the_shortest_pause(
    keep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer_mesh.local.process.STEADY_S", 0.0)
    process = keep(sleeper(tmp_path))
    for _ in range(3):
        await until(lambda: process.state is State.SERVING)
        pid = process.kill(9)
        await until(lambda pid=pid: process.pid not in (0, pid))
    assert process.deaths == 1


async def test_a_restart_that_is_still_building_does_not_start_again_what_was_ended(keep: Any, tmp_path: Path) -> None:
    building, go_on = asyncio.Event(), asyncio.Event()
    process = keep(sleeper(tmp_path))
    await until(lambda: process.state is State.SERVING)

    async def build(_: object) -> None:
        building.set()
        await go_on.wait()

    process.plan = dataclasses.replace(process.plan, build=build)
    restart = asyncio.create_task(process.restart())
    await building.wait()
    await process.stop()
    go_on.set()
    with pytest.raises(Problem, match="was ended meanwhile"):
        await restart
    assert (process.state, process.pid) == (State.STOPPED, 0)


async def test_one_that_is_told_to_start_while_it_is_about_to_die_is_built_anew_and_not_shown_as_dying(
    keep: Any, tmp_path: Path
) -> None:
    """As by `gossamer up` after a person mended what kept dying: what that shows is of the mended one."""
    built: list[object] = []

    async def build(say: object) -> None:
        built.append(say)

    process = keep(sleeper(tmp_path, build=build, ready=never))
    await until(lambda: bool(process.pid))
    first, shown = process.pid, set()
    process._changed = lambda: shown.add(process.state)
    process.start()
    process.kill(9)
    await until(lambda: process.pid not in (0, first))
    assert (len(built), State.BACKOFF in shown) == (2, False)


async def test_one_that_served_since_is_started_as_it_was(keep: Any, tmp_path: Path) -> None:
    """The control of the one above: a crash brings nothing in that is being written."""
    built: list[object] = []
    serve = asyncio.Event()

    async def build(say: object) -> None:
        built.append(say)

    async def ready(_: str) -> None:
        await serve.wait()

    process = keep(sleeper(tmp_path, build=build, ready=ready))
    await until(lambda: bool(process.pid))
    process.start()
    serve.set()
    await until(lambda: process.state is State.SERVING)
    first = process.kill(9)
    await until(lambda: process.pid not in (0, first))
    assert (len(built), process.restarts) == (1, 1)
