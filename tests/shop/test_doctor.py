"""gossamer doctor tells what this machine has of what the stack needs, for people and for programs."""

import json
import os
import socket
from pathlib import Path

import pytest
from harness.stack import GOSSAMER, Stack

from gossamer_mesh.local import ports

LANGUAGES = ["language go", "language java", "language python", "language rust", "language typescript"]
NAMES = ["python", "go", "consul", "grpcurl", "postgres", "valkey", *LANGUAGES, "ports"]


@pytest.fixture
def without_go(own_stack: Stack, tmp_path: Path) -> Stack:
    """Give a stack that does not run, of a person who has nothing on PATH."""
    if (GOSSAMER.parent / "go").exists():
        pytest.skip("there is a Go beside gossamer, where it is always found")
    own_stack.environment["PATH"] = str(tmp_path)
    return own_stack


def test_a_machine_that_has_everything_is_told_so(own_stack: Stack) -> None:
    lines = own_stack.run("doctor").stdout.splitlines()
    marked = [line for line in lines if line.startswith("ok ")]
    assert [name for name in NAMES if not any(name in line for line in marked)] == []
    assert not any(line.startswith("missing") for line in lines)


def test_programs_are_told_the_same(own_stack: Stack) -> None:
    findings = json.loads(own_stack.run("doctor", "--json").stdout)
    assert [each["name"] for each in findings] == NAMES
    assert all(each["ok"] is True and each["found"] for each in findings)


def test_what_is_missing_is_marked_with_how_to_get_it(without_go: Stack) -> None:
    done = without_go.run("doctor", check=False)
    shown = " ".join(done.stdout.split())
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "missing go Go 1.26 or newer is needed" in shown
    assert "go.dev/dl" in shown
    assert "something is missing" in done.stderr


def test_programs_find_what_is_missing_by_its_name(without_go: Stack) -> None:
    done = without_go.run("doctor", "--json", check=False)
    missing = {each["name"]: each["found"] for each in json.loads(done.stdout) if not each["ok"]}
    languages = {"language go", "language java", "language rust", "language typescript"}
    assert (done.returncode, set(missing)) == (1, {"go", *languages})
    assert "https://go.dev/dl" in missing["go"]


def test_a_port_in_use_is_named(own_stack: Stack) -> None:
    taken = ports.first_free(30000 + os.getpid() % 10000, set())  # so that every other port fits below 65536
    with socket.create_server(("127.0.0.1", taken)):
        own_stack.environment["GOSSAMER_PORT_OFFSET"] = str(taken - 18000)
        done = own_stack.run("doctor", "--json", check=False)
    (found,) = [each for each in json.loads(done.stdout) if each["name"] == "ports"]
    assert (done.returncode, found["ok"]) == (1, False)
    assert f"port {taken} (control) is in use by" in found["found"]
