"""What `up` and `scale` do to a stack that runs: what changed is followed, and what can't be is said.

The service is written in shell: a gRPC server of Python's standard health service, started by two files.
"""

import sys
from pathlib import Path

import pytest
from harness.checkout import give_checkout, write
from harness.stack import Stack, eventually

KIT = """\
language: shell
tools: [{name: sh, check: [sh, -c, echo 1.0], minimum: "1.0", hint: install a shell}]
sources: ["services/{service}/*"]
build: []
run: [sh, "services/{service}/run"]
"""
SERVICE = """\
name: catalog
summary: A service that is healthy and nothing else.
language: shell
contracts: [shop.catalog.v1.CatalogService]
replicas: 2
"""
SERVER = f"""\
exec {sys.executable} -c '
import os
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2_grpc
server = grpc.server(futures.ThreadPoolExecutor(2))
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
server.add_insecure_port(os.environ["GOSSAMER_LISTEN"])
server.start()
server.wait_for_termination()
'
"""
BROKEN = "echo the new version is broken >&2; exit 3\n"


@pytest.fixture
def checkout(own_stack: Stack, tmp_path: Path) -> Stack:
    return give_checkout(own_stack, tmp_path, kit=KIT, service=SERVICE, run=SERVER)


def states(stack: Stack) -> set[str]:
    return {each["state"] for each in stack.processes().values() if each.get("service")}


def details(stack: Stack) -> dict[str, str]:
    return {name: each.get("detail", "") for name, each in stack.processes().items()}


def test_a_version_that_does_not_run_replaces_one_instance_and_no_other(checkout: Stack) -> None:
    pid = {each["name"]: each["pid"] for each in checkout.up()}["catalog-2"]
    write(checkout.root / "services/catalog/run", BROKEN)
    done = checkout.run("up", check=False)
    assert done.returncode == 1
    assert "the new version is broken" in done.stdout
    assert checkout.processes()["catalog-2"]["pid"] == pid
    assert details(checkout)["catalog-2"].startswith("not replaced")
    write(checkout.root / "services/catalog/run", SERVER + "# mended\n")
    checkout.up()
    assert checkout.processes()["catalog-2"]["pid"] != pid
    assert set(details(checkout).values()) == {""}


def test_after_scaling_nothing_is_said_to_be_going_on(checkout: Stack) -> None:
    checkout.up()
    checkout.run("scale", "catalog", "3")
    assert "catalog-3" in checkout.processes()
    assert states(checkout) == {"serving"}
    assert set(details(checkout).values()) == {""}


def test_what_only_another_start_follows_is_said(checkout: Stack) -> None:
    checkout.up()
    checkout.environment["GOSSAMER_PORT_OFFSET"] = "0"
    said = checkout.run("up").stdout
    assert "note: this stack keeps port consul at" in said
    assert "gossamer down, then gossamer up" in said


def test_the_parts_follow_a_change_of_their_code(checkout: Stack) -> None:
    """The file of versions counts as code, and can be changed here without changing what runs."""
    (checkout.root / "requirements.lock").unlink()
    write(checkout.root / "requirements.lock", "first")
    before = {each["name"]: each["pid"] for each in checkout.up()}
    write(checkout.root / "requirements.lock", "second")
    said = checkout.run("up").stdout
    eventually(lambda: checkout.serves("control", "collector"))
    after = {name: each["pid"] for name, each in checkout.processes().items()}
    assert {name for name in before if after[name] != before[name]} == {"control", "collector"}
    assert "note: the supervisor itself runs code from before a change" in said


def test_a_tool_that_was_installed_meanwhile_is_found(checkout: Stack, tmp_path: Path) -> None:
    kit = KIT.replace("check: [sh, -c, echo 1.0]", "check: [freshly-installed]")
    write(checkout.root / "kits/shell/kit.yaml", kit)
    assert "is needed and not found" in checkout.run("up").stdout
    tool = tmp_path / "tools" / "freshly-installed"
    write(tool, "#!/bin/sh\necho 1.0\n")
    tool.chmod(0o755)
    checkout.environment["PATH"] = f"{tool.parent}:{checkout.environment['PATH']}"
    checkout.run("up")
    assert states(checkout) == {"serving"}
