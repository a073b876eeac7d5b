"""What consul/ declares is what Consul holds once `up` is done; what others wrote stays, and `up` says so.

The service is written in shell: nothing but Consul, the control plane and the supervisor has a part in it.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from harness.checkout import give_checkout, write
from harness.stack import Stack

KIT = """\
language: shell
tools: [{name: sh, check: [sh, -c, echo 1.0], minimum: "1.0", hint: install a shell}]
sources: ["services/{service}/*"]
build: []
run: [sh, "services/{service}/run"]
"""
SERVICE = """\
name: catalog
summary: A service that is declared, and has no instance.
language: shell
contracts: [shop.catalog.v1.CatalogService]
replicas: 0
"""


@pytest.fixture
def checkout(own_stack: Stack, tmp_path: Path) -> Stack:
    stack = give_checkout(own_stack, tmp_path, kit=KIT, service=SERVICE, run="exit 0\n")
    (tmp_path / "consul").unlink()
    (tmp_path / "consul").mkdir()
    (tmp_path / "consul" / "agent.hcl").symlink_to(Path(__file__).parents[2] / "consul" / "agent.hcl")
    return stack


def declare(checkout: Stack, timeout: str) -> None:
    routes = [{"Destination": {"RequestTimeout": timeout}}]
    router = {"Kind": "service-router", "Name": "catalog", "Routes": routes}
    write(checkout.root / "consul/entries/router.json", json.dumps(router))


def consul(checkout: Stack, path: str, body: object = None) -> Any:
    """Ask the stack's Consul, or tell it something."""
    data = None if body is None else json.dumps(body).encode()
    url = f"http://{checkout.processes()['consul']['address']}/v1/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, data, method="PUT" if data else "GET"), timeout=10) as got:
        return json.load(got)


def timeout_of(checkout: Stack) -> str:
    (router,) = consul(checkout, "config/service-router")
    return str(router["Routes"][0]["Destination"]["RequestTimeout"])


def test_up_brings_what_is_declared_and_follows_its_changes(checkout: Stack) -> None:
    """Also to a stack that runs, and also after it was down."""
    declare(checkout, "2s")
    write(checkout.root / "consul/gossamer/defaults.json", '{"zones": "prefer"}')
    checkout.up()
    assert timeout_of(checkout) == "2s"
    assert len(consul(checkout, "kv/gossamer/?keys")) == 1
    declare(checkout, "3s")
    (checkout.root / "consul/gossamer/defaults.json").unlink()
    checkout.up()
    assert timeout_of(checkout) == "3s"
    assert consul(checkout, "config/service-router")[0]["ModifyIndex"]
    checkout.run("down")
    (checkout.root / "consul/entries/router.json").unlink()
    checkout.up()
    assert consul(checkout, "config/service-router") == []


def test_up_leaves_what_others_wrote_and_says_so(checkout: Stack) -> None:
    declare(checkout, "2s")
    checkout.up()
    other = {"Kind": "service-router", "Name": "catalog", "Routes": [{"Destination": {"RequestTimeout": "9s"}}]}
    consul(checkout, "config", other)
    declare(checkout, "3s")
    done = checkout.run("up")
    assert (
        "note: service-router/catalog was written by somebody else, and stays so; to have that of consul/entries/"
        in (done.stdout)
    )
    assert timeout_of(checkout) == "9s"


def test_up_says_what_consul_does_not_take_and_the_stack_runs(checkout: Stack) -> None:
    declare(checkout, "2x")
    done = checkout.run("up", check=False)
    assert done.returncode == 1
    assert "consul/entries/router.json: Consul does not take it: " in done.stderr
    assert "RequestTimeout" in done.stderr
    assert {each["state"] for each in checkout.processes().values()} == {"serving"}
    declare(checkout, "2s")
    checkout.up()
    assert timeout_of(checkout) == "2s"


def test_up_begins_nothing_with_a_file_that_is_no_entry(checkout: Stack) -> None:
    write(checkout.root / "consul/entries/router.json", '{"Kind": "service-rooter",\n "Name": 7}')
    done = checkout.run("up", check=False)
    assert done.returncode == 64
    assert "consul/entries/router.json:1: 'Kind' must be one of service-router" in done.stderr
    assert "consul/entries/router.json:2: 'Name' must be a text, found 7" in done.stderr
