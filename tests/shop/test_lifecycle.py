"""A stack from its start to its end: up twice, a killed supervisor, ports that are taken, tools that are missing."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from harness.stack import GOSSAMER, ROOT, Stack, eventually, lives

from gossamer_mesh.local import leftovers, ports


def supervisor(stack: Stack) -> psutil.Process:
    """Find the supervisor of a stack."""
    (found,) = [each for each in leftovers.find(stack.state) if "gossamer_mesh.local" in " ".join(each.cmdline())]
    return found


def test_up_twice_changes_nothing_and_down_leaves_nothing(own_stack: Stack) -> None:
    before = {each["name"]: each["pid"] for each in own_stack.up()}
    after = {each["name"]: each["pid"] for each in own_stack.up()}
    assert after == before
    done = own_stack.run("down")
    assert "is down" in done.stdout
    assert leftovers.find(own_stack.state) == []
    assert not any(map(lives, before.values()))
    again = own_stack.run("down")
    assert "nothing to do" in again.stdout


def test_what_a_killed_supervisor_left_is_ended_by_the_next_up_and_data_stays(own_stack: Stack) -> None:
    own_stack.up()
    items = [{"product_id": "alpaca-throw", "quantity": 1}]
    request = {"request_id": "0b0e7d1e-6a5e-4a7e-9f6b-1f8f7a1f0a55", "customer_id": "k", "items": items}
    order = own_stack.call("orders", "PlaceOrder", request)["order"]["id"]
    old = {each.pid for each in leftovers.find(own_stack.state)}
    process = supervisor(own_stack)
    process.send_signal(signal.SIGKILL)
    process.wait(5)
    new = {each["pid"] for each in own_stack.up()}
    assert not new & old
    assert not any(map(lives, old))
    assert own_stack.call("orders", "GetOrder", {"id": order})["order"]["id"] == order


def test_what_a_killed_supervisor_left_is_ended_by_down(own_stack: Stack) -> None:
    own_stack.up()
    process = supervisor(own_stack)
    process.send_signal(signal.SIGKILL)
    process.wait(5)
    assert "no stack" not in own_stack.run("down").stdout
    assert leftovers.find(own_stack.state) == []


def test_verbs_without_a_stack_say_how_to_start_one(own_stack: Stack) -> None:
    for words in (
        ["ps"],
        ["call", "catalog", "ListProducts"],
        ["restart"],
        ["kill", "x"],
        ["scale", "x", "1"],
        ["split", "x", "v1=100"],
        ["fault", "x", "--abort", "ABORTED"],
        ["policy"],
        ["trace"],
    ):
        done = own_stack.run(*words, check=False)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert "gossamer up" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_with_its_holder_and_nothing_is_started(own_stack: Stack) -> None:
    taken = ports.first_free(30000 + os.getpid() % 10000, set())  # so that every other port fits below 65536
    with socket.create_server(("127.0.0.1", taken)):
        own_stack.environment["GOSSAMER_PORT_OFFSET"] = str(taken - 18000)
        done = own_stack.run("up", check=False)
    assert done.returncode == 1
    assert f"port {taken} (control) is in use by" in done.stderr
    if sys.platform == "linux":  # elsewhere only root is told who holds a port
        assert f"(process {os.getpid()})" in done.stderr
    assert "GOSSAMER_PORT_OFFSET" in done.stderr
    assert leftovers.find(own_stack.state) == []


@pytest.mark.parametrize("go", ["none", "old"])
def test_without_consul_and_without_go_up_says_what_is_needed(own_stack: Stack, tmp_path: Path, go: str) -> None:
    """Nothing is downloaded either: the proxy that is set does not exist."""
    if go == "none" and (GOSSAMER.parent / "go").exists():
        pytest.skip("there is a Go beside gossamer, where it is always found")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "env", "uname", "cat", "sed"):
        (programs / name).symlink_to(shutil.which(name) or name)
    if go == "old":
        (programs / "go").write_text("#!/bin/sh\necho go version go1.19.2 linux/amd64\n")
        (programs / "go").chmod(0o755)
    own_stack.environment |= {
        "PATH": str(programs),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "https_proxy": "http://127.0.0.1:1",
    }
    done = own_stack.run("up", check=False)
    assert done.returncode == 1
    found = "found 1.19.2" if go == "old" else "no go is on PATH"
    assert "Go 1.26 or newer is needed" in done.stdout
    assert found in done.stdout
    assert "go.dev/dl" in done.stdout
    assert "the stack can't run without consul" in done.stderr
    assert leftovers.find(own_stack.state) == []


def test_a_wrong_declaration_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for name in ("gossamer.yaml", "kits", "gen"):
        (tmp_path / name).symlink_to(ROOT / name)
    catalog = tmp_path / "services" / "catalog"
    catalog.mkdir(parents=True)
    (catalog / "service.yaml").write_text("name: catalog\nlanguag: go\n")
    stack = Stack(tmp_path / "state", root=tmp_path)
    done = stack.run("up", check=False)
    assert done.returncode == 64
    assert "services/catalog/service.yaml:2: unknown key 'languag'; did you mean 'language'?" in done.stderr
    assert leftovers.find(stack.state) == []


def test_two_stacks_stand_side_by_side(stack: Stack, own_stack: Stack) -> None:
    own_stack.up()
    assert own_stack.address("control") != stack.address("control")
    assert own_stack.call("orders", "ListOrders", {})["orders"] == []
    own_stack.run("down")
    assert stack.serves("catalog-1", "orders-1")


def test_logs_follow_what_is_written(stack: Stack, tmp_path: Path) -> None:
    shown = stack.run("logs", "catalog", "-n", "5").stdout
    assert "announce" in stack.run("logs", "catalog", "-n", "1000").stdout
    assert len(shown.splitlines()) <= 5
    output = tmp_path / "output"
    with output.open("w") as file:
        follower = subprocess.Popen(
            [GOSSAMER, "logs", "-f", "orders-1", "-n", "1", "--json"],
            cwd=stack.root,
            env=stack.environment,
            stdout=file,
        )

    def messages() -> list[str]:
        whole_lines = output.read_text().split("\n")[:-1]
        return [json.loads(line)["message"] for line in whole_lines]

    try:
        eventually(messages)
        stack.run("restart", "orders-1")
        eventually(lambda: "drained" in messages())
    finally:
        follower.kill()
        follower.wait()
    assert messages().index("draining") < messages().index("drained")


def test_a_restart_takes_the_place_of_the_old_process(stack: Stack) -> None:
    before = stack.processes()["orders-2"]["pid"]
    assert "restarted orders-2" in stack.run("restart", "orders-2").stdout
    assert stack.processes()["orders-2"]["pid"] != before
    eventually(lambda: stack.serves("orders-2"))
