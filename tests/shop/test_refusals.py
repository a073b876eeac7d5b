"""What keeps a stack from starting: each ends in one clear line, the right status, and nothing left running."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest
from harness.stack import GOSSAMER, ROOT, Stack

from gossamer_mesh.local import leftovers
from gossamer_mesh.local.ended import until_ended


def refused(stack: Stack, *, status: int, where: str = "stderr") -> str:
    done = stack.run("up", check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert leftovers.find(stack.state) == []
    said: str = getattr(done, where)
    return said


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(own_stack: Stack, tmp_path: Path) -> Path:
    """Give a folder before all others on the stack's PATH; nothing was brought before, nothing can be downloaded."""
    folder = tmp_path / "tools"
    own_stack.environment |= {
        "PATH": f"{folder}:{own_stack.environment['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "https_proxy": "http://127.0.0.1:1",
    }
    return folder


def test_a_consul_that_can_not_be_built_is_told_with_what_the_build_said(own_stack: Stack, tools: Path) -> None:
    program(
        tools, "go", '[ "$1" = version ] && echo go version go1.26.1 linux/amd64 && exit\necho no route >&2; exit 1'
    )
    said = refused(own_stack, status=1, where="stdout")
    assert "could not be built in tools/consul" in said
    assert "no route" in said
    assert list((tools.parent / "cache").rglob("*.part")) == []


def test_a_consul_that_dies_is_told_with_its_last_lines(own_stack: Stack, tools: Path) -> None:
    program(
        tools, "consul", '[ "$1" = version ] && echo Consul v1.22.3 && exit\necho the data folder is damaged; exit 1'
    )
    said = refused(own_stack, status=1, where="stdout")
    assert "consul: exited with 1" in said
    assert "the data folder is damaged" in said


def test_a_cache_that_is_full_or_closed_is_named(own_stack: Stack, tools: Path) -> None:
    (tools.parent / "cache").write_text("a file where a folder must be")
    said = refused(own_stack, status=1, where="stdout")
    assert "consul can't be put into" in said
    assert "XDG_CACHE_HOME" in said


def test_a_consul_of_others_that_does_not_answer_is_named_before_anything_starts(own_stack: Stack) -> None:
    own_stack.environment["CONSUL_HTTP_ADDR"] = "127.0.0.1:1"
    said = refused(own_stack, status=1)
    assert "CONSUL_HTTP_ADDR names http://127.0.0.1:1, where no Consul with a leader answers" in said


def test_several_bad_variables_are_told_at_once(tmp_path: Path) -> None:
    bad = {"CONSUL_HTTP_ADDR": "http://", "GOSSAMER_PORT_OFFSET": "ten"}
    said = refused(Stack(tmp_path / "state", environment=bad), status=64)
    assert "CONSUL_HTTP_ADDR: must be" in said
    assert "GOSSAMER_PORT_OFFSET: must be" in said


def test_a_state_folder_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    for words in (["up"], ["down", "--erase"]):
        done = Stack(tmp_path).run(*words, check=False)
        assert done.returncode == 1
        assert "holds files that are none of a stack's" in done.stderr
    assert (tmp_path / "photo.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the right that is taken away here")
def test_a_left_over_postgresql_is_ended_also_where_root_may_not_look_into_processes(own_stack: Stack) -> None:
    """As in a container: root without CAP_SYS_PTRACE."""
    left = [psutil.Process(each["pid"]) for each in own_stack.up()]
    (supervisor,) = [each for each in leftovers.find(own_stack.state) if leftovers.SUPERVISOR in each.cmdline()]
    supervisor.kill()
    supervisor.wait(10)
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", GOSSAMER, "down"],
        cwd=ROOT, env=own_stack.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert until_ended(left, within=0) == []
