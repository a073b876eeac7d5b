"""What becomes of services that don't build, don't start, die, or lack their tools. Their language is the shell."""

import re
from pathlib import Path

import pytest
from harness.checkout import give_checkout, write
from harness.stack import Stack, eventually
from valkey import Valkey
from valkey.exceptions import ConnectionError as ValkeyConnectionError

KIT = """\
language: shell
tools: [{name: sh, check: [sh, -c, echo 1.0], minimum: "1.0", hint: install a shell}]
sources: ["services/{service}/*"]
build: [sh, "services/{service}/build", "{output}"]
run: [sh, "services/{service}/run"]
"""
SERVICE = """\
name: catalog
summary: A service that fails in one way or another.
language: shell
contracts: [shop.catalog.v1.CatalogService]
"""


@pytest.fixture
def checkout(own_stack: Stack, tmp_path: Path) -> Stack:
    """Give a stack of a checkout with one service, written in shell: two files, build and run."""
    return give_checkout(own_stack, tmp_path, kit=KIT, service=SERVICE, build="exit 0", run="exit 0")


def test_one_that_keeps_dying_is_shown_with_its_last_lines_and_the_rest_runs(checkout: Stack) -> None:
    write(checkout.root / "services/catalog/run", "echo the disk is made of cheese >&2; exit 3")
    done = checkout.run("up", check=False)
    assert done.returncode == 1
    assert "catalog-1: exited with 3" in done.stdout
    assert "the disk is made of cheese" in done.stdout
    assert "the rest runs" in done.stderr
    assert checkout.serves("consul", "control", "collector")
    restarts = checkout.processes()["catalog-1"]["restarts"]
    eventually(lambda: checkout.processes()["catalog-1"]["restarts"] > restarts)


def test_one_whose_configuration_is_refused_is_not_started_again(checkout: Stack) -> None:
    write(checkout.root / "services/catalog/run", "echo GOSSAMER_DRAIN must be a duration >&2; exit 64")
    done = checkout.run("up", check=False)
    assert done.returncode == 1
    assert "GOSSAMER_DRAIN must be a duration" in done.stdout
    assert checkout.processes()["catalog-1"]["state"] == "failed"


def test_one_that_does_not_build_shows_why_and_is_built_when_it_was_mended(checkout: Stack) -> None:
    write(checkout.root / "services/catalog/build", "echo line 7: semicolon missing; exit 1")
    done = checkout.run("up", check=False)
    assert done.returncode == 1
    assert "catalog can't be built" in done.stdout
    assert "line 7: semicolon missing" in done.stdout
    write(checkout.root / "services/catalog/build", 'echo built > "$1"')
    checkout.run("up", check=False)
    assert (checkout.state / "bin" / "catalog").read_text() == "built\n"


def test_what_is_built_is_not_built_again_until_its_content_changes(checkout: Stack) -> None:
    write(checkout.root / "services/catalog/build", 'echo again >> "$1"')
    checkout.run("up", check=False)
    built = checkout.state / "bin" / "catalog"
    assert built.read_text() == "again\n"
    (checkout.root / "services/catalog/run").touch()
    checkout.run("up", check=False)
    assert built.read_text() == "again\n"
    write(checkout.root / "services/catalog/run", "exit 1")
    checkout.run("up", check=False)
    assert built.read_text() == "again\nagain\n"


def test_a_language_whose_tools_are_missing_is_left_out_and_the_stack_says_so(checkout: Stack) -> None:
    write(checkout.root / "kits/shell/kit.yaml", KIT.replace('minimum: "1.0"', 'minimum: "2.5"'))
    done = checkout.run("up")
    assert "\ncatalog is left out: sh 2.5 or newer is needed, found 1.0; install a shell\n" in done.stdout
    assert "\ncatalog    skipped " in done.stdout  # what is told of it makes no column of the table narrower
    assert checkout.processes()["catalog"]["state"] == "skipped"


def test_a_service_that_keeps_data_in_valkey_has_a_user_there(checkout: Stack) -> None:
    write(checkout.root / "services/catalog/service.yaml", f"{SERVICE}stores: [valkey]\n")
    write(checkout.root / "services/catalog/run", 'echo "told: $VALKEY_URL" >&2; exit 64')
    done = checkout.run("up", check=False)
    assert checkout.serves("valkey")
    [url] = re.findall(r"told: (redis://catalog:\S+)", done.stdout)
    with Valkey.from_url(url) as connection:
        assert connection.ping()
    checkout.run("down")
    with Valkey.from_url(url) as connection, pytest.raises(ValkeyConnectionError):
        connection.ping()


def test_a_service_that_is_no_longer_declared_is_ended(checkout: Stack) -> None:
    checkout.run("up", check=False)
    assert "catalog-1" in checkout.processes()
    (checkout.root / "services/catalog/service.yaml").unlink()
    checkout.run("up")
    assert "catalog-1" not in checkout.processes()
