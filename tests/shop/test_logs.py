"""gossamer logs puts lines of all kinds in the order of time. No stack runs; the logs are written here."""

import subprocess
from pathlib import Path

import pytest
from harness.stack import GOSSAMER, Stack, eventually

from gossamer_mesh.local.folder import StateFolder

CATALOG = """\
{"time": "2026-11-23T16:00:01.123456789Z", "level": "info", "message": "one"}
panic: four
goroutine 1 [running]:
"""
CONSUL = '{"@timestamp": "2026-11-23T18:00:00.500000+02:00", "@level": "info", "@message": "zero"}\n'
POSTGRES = "2026-11-23 16:00:01.200 UTC [7] LOG:  ready [/tmp/x]\n"


@pytest.fixture
def stopped(own_stack: Stack) -> Stack:
    """Give a stack that does not run and has logs of three processes."""
    state = StateFolder(own_stack.state)
    state.make()
    folder = state.logs
    (folder / "catalog-1.log").write_text(CATALOG)
    (folder / "consul.log").write_text(CONSUL)
    (folder / "postgres.log").write_text(POSTGRES)
    return own_stack


def test_lines_are_in_the_order_of_time_and_those_without_one_stay_with_the_line_before(stopped: Stack) -> None:
    shown = stopped.run("logs", "--json").stdout
    assert shown == CONSUL + CATALOG + POSTGRES


def test_times_are_shown_alike_and_foreign_text_as_it_is(stopped: Stack) -> None:
    lines = stopped.run("logs").stdout.splitlines()
    assert lines[0] == "16:00:00.500 consul       info    zero"
    assert lines[1] == "16:00:01.123 catalog-1    info    one"
    assert lines[4] == f"16:00:01.200 postgres     {POSTGRES.strip()}"


def test_the_end_of_a_crash_is_not_cut_off_by_lines_with_a_time(stopped: Stack) -> None:
    assert stopped.run("logs", "catalog", "-n", "1", "--json").stdout == "goroutine 1 [running]:\n"
    assert "goroutine 1" in stopped.run("logs", "-n", "1", "--json").stdout


def test_an_instance_that_starts_later_is_followed_from_its_first_line(stopped: Stack, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        follower = subprocess.Popen(
            [GOSSAMER, "logs", "-f", "catalog", "--json"], cwd=stopped.root, env=stopped.environment, stdout=file
        )
    try:
        eventually(lambda: output.read_text() == CATALOG)
        (stopped.state / "logs" / "catalog-2.log").write_text('{"message": "late"}\n')
        eventually(lambda: output.read_text() == CATALOG + '{"message": "late"}\n')
    finally:
        follower.kill()
        follower.wait()
