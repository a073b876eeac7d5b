"""People's handles on traffic, typed as a person types them: split, fault, policy, check, and what ps says about it."""

import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.load import GET_PRODUCT, Load
from harness.stack import Stack, eventually

from gossamer_mesh.local.parts import have

CALLS = 1000


@pytest.fixture
def plain(stack: Stack) -> Iterator[Stack]:
    """Give the stack as it should be, and make it so again."""
    yield stack
    for service in ("catalog", "orders"):
        stack.run("policy", service, "--clear", "--force")


@pytest.fixture
def canary(plain: Stack) -> Iterator[Stack]:
    """Give the stack with a third catalog, of version v2."""
    plain.run("scale", "catalog", "3", "--version", "v2")
    eventually(lambda: plain.serves("catalog-3"))
    yield plain
    plain.run("scale", "catalog", "2")


def answers(stack: Stack, program: Path, instance: str) -> int:
    """Make calls and count what an instance answers."""
    with Load(
        program, stack.address("control"), "-closed", "-workers=4", "-warmup=2s", f"-count={CALLS}", *GET_PRODUCT
    ) as load:
        load.finish()
    assert load.summary["ok"] == CALLS
    return int(load.summary["answered_by"].get(stack.address(instance), 0))


def policy(stack: Stack, *words: str) -> dict[str, Any]:
    (found,) = json.loads(stack.run("policy", *words, "--json").stdout)["policies"]
    return dict(found)


def consul(stack: Stack, *words: str, text: str | None = None) -> str:
    """Type a command of Consul's own."""
    address = f"-http-addr={stack.address('consul')}"
    done = subprocess.run(
        [have("consul"), *words[:2], address, *words[2:]],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def refused(stack: Stack, *words: str, status: int) -> str:
    done = stack.run(*words, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stdout + done.stderr
    return done.stderr


def test_a_split_gives_a_version_its_share_and_gives_it_back(canary: Stack, program: Path) -> None:
    """Without a split, each of three instances has a third; that is the control."""
    before = policy(canary, "catalog")
    assert answers(canary, program, "catalog-3") == pytest.approx(CALLS / 3, abs=50)
    said = canary.run("split", "catalog", "dev=90", "v2=10").stdout
    assert "wrote service-resolver/catalog, service-splitter/catalog" in said
    assert "90 % dev (2)" in said
    assert abs(answers(canary, program, "catalog-3") - CALLS / 10) < 3 * math.sqrt(CALLS * 0.1 * 0.9)
    canary.run("split", "catalog", "--clear")
    assert policy(canary, "catalog") == before
    assert answers(canary, program, "catalog-3") == pytest.approx(CALLS / 3, abs=50)


def test_a_version_that_nobody_runs_any_more_is_told_by_ps(canary: Stack) -> None:
    canary.run("split", "catalog", "dev=90", "v2=10")
    assert json.loads(canary.run("ps", "--json").stdout)["trouble"] == []
    canary.run("scale", "catalog", "2")
    told = "10 % of calls of catalog go to v2 of catalog, of which no instance can be called"
    eventually(lambda: told in json.loads(canary.run("ps", "--json").stdout)["trouble"])


def test_a_fault_fails_the_calls_that_it_is_for_until_it_is_taken_back(plain: Stack) -> None:
    plain.run("fault", "catalog", "--abort", "data-loss", "--method", "GetProduct", "--header", "X-Tenant=acme")
    assert plain.call("catalog", "GetProduct", {"id": "alpaca-throw"})["product"]
    tenant = ("--header", "x-tenant: acme")
    failed = plain.call("catalog", "GetProduct", {"id": "alpaca-throw"}, *tenant)
    assert failed["error"]["status"] == "DATA_LOSS"
    shown = plain.run("fault", "catalog").stdout
    assert "CatalogService/GetProduct  x-tenant = acme  100 % DATA_LOSS" in shown
    plain.run("fault", "catalog", "--clear")
    assert plain.call("catalog", "GetProduct", {"id": "alpaca-throw"}, *tenant)["product"]
    assert "no call is delayed or failed on purpose" in plain.run("fault", "catalog").stdout


def test_a_fault_for_one_caller_is_shown_as_that_caller_meets_it(plain: Stack) -> None:
    plain.run("fault", "catalog", "--delay", "1.5s", "--percent", "0.5", "--from", "orders")
    assert "0.5 % after 1.5 s" in plain.run("policy", "catalog", "--from", "orders").stdout
    assert "after" not in plain.run("policy", "catalog").stdout


def test_a_policy_is_told_in_words_and_for_programs(plain: Stack) -> None:
    """What the shop itself declares in consul/."""
    shown = plain.run("policy", "catalog").stdout
    assert "CatalogService/GetProduct" in shown
    assert "service-router/catalog Routes[0]" in shown
    route = policy(plain, "catalog")["routes"][0]
    assert (route["timeout"], route["retry"]) == ("2s", {"statuses": ["UNAVAILABLE"], "times": 3})
    assert route["destinations"] == [{"service": "catalog", "weight": 10000, "instances": 2}]
    assert "catalog" in plain.run("policy").stdout


def test_what_others_wrote_is_changed_only_with_force(plain: Stack) -> None:
    resolver = {
        "Kind": "service-resolver",
        "Name": "orders",
        "Subsets": {"dev": {"Filter": "Service.Meta.version == dev"}},
    }
    consul(plain, "config", "write", "-", text=json.dumps(resolver))
    splitter = {"Kind": "service-splitter", "Name": "orders", "Splits": [{"Weight": 100}]}
    consul(plain, "config", "write", "-", text=json.dumps(splitter))
    try:
        said = refused(plain, "split", "orders", "dev=100", status=1)
        assert "service-splitter/orders was written by others" in said
        assert "--force" in said
        plain.run("split", "orders", "dev=100", "--force")
        plain.run("split", "orders", "--clear")
        left = json.loads(consul(plain, "config", "read", "-kind=service-resolver", "-name=orders"))
        assert left["Subsets"] == resolver["Subsets"]
    finally:
        consul(plain, "config", "delete", "-kind=service-resolver", "-name=orders")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["split", "catlog", "dev=100"], 1, "did you mean catalog?"),
        (["split", "catalog", "dev=90", "v9=10"], 1, "10 % of the calls of catalog would fail"),
        (["split", "catalog", "dev=90"], 2, "add up to 100, found 90"),
        (["split", "catalog", "dev"], 2, "as in v2=10, found 'dev'"),
        (["split", "catalog", "dev=100", "--clear"], 2, "found both"),
        (["fault", "catalog", "--abort", "NOPE"], 2, "must be in list"),
        (["fault", "catalog", "--delay", "soon"], 2, "as in 200ms"),
        (["fault", "catalog", "--method", "GetProduct"], 2, "--abort or --delay"),
        (["fault", "catalog", "--abort", "ABORTED", "--method", "GetProdct"], 2, "CatalogService/GetProduct"),
        (["fault", "catalog", "--abort", "ABORTED", "--header", "x"], 2, "as in x-tenant=acme"),
        (["policy", "nobody"], 1, "no service 'nobody' in the mesh"),
        (["policy", "--clear"], 2, "the service whose split"),
        (["policy", "--control", "127.0.0.1:1"], 1, "the control plane at 127.0.0.1:1 does not answer"),
        (["check", "no-such-file.hcl"], 2, "no-such-file.hcl can't be read"),
    ],
)
def test_what_can_t_be_done_is_said_with_what_was_meant(plain: Stack, words: list[str], status: int, said: str) -> None:
    assert said in refused(plain, *words, status=status)


def test_ps_tells_what_is_left_out(plain: Stack) -> None:
    consul(plain, "kv", "put", "gossamer/faults/catalog", '[{"abort": {"status": "NOPE"}}]')
    subject = "gossamer/faults/catalog [0].abort.status"
    eventually(lambda: [r["subject"] for r in json.loads(plain.run("ps", "--json").stdout)["refusals"]] == [subject])
    assert f"left out for catalog: {subject}" in plain.run("ps").stdout.replace("\n", " ")
    assert f"left out: {subject}" in plain.run("policy", "catalog").stdout


def test_a_check_tells_what_would_be_refused_and_writes_nothing(plain: Stack, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.hcl", tmp_path / "bad.json"
    good.write_text(
        'Kind = "service-resolver"\nName = "catalog"\nSubsets { dev { Filter = "Service.Meta.version == dev" } }\n'
    )
    bad.write_text(
        '{"Kind": "service-splitter", "Name": "catalog", "Splits": [{"Weight": 100, "ServiceSubset": "v9"}]}'
    )
    before = policy(plain, "catalog")
    assert "nothing of 1 files would be refused" in plain.run("check", str(good)).stdout
    done = plain.run("check", str(bad), str(good), check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{bad}: service-splitter/catalog: Consul does not take it")
    assert policy(plain, "catalog") == before


def test_a_check_needs_no_stack_and_leaves_nothing(own_stack: Stack, tmp_path: Path) -> None:
    """The shop's own entries are good."""
    assert "would be refused" in own_stack.run("check").stdout
    bad = tmp_path / "gossamer" / "faults" / "catalog.json"
    bad.parent.mkdir(parents=True)
    bad.write_text('[{"abort": {"status": "NOPE"}}]')
    done = own_stack.run("check", str(tmp_path), "--json", check=False)
    (finding,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, finding["subject"]) == (1, "gossamer/faults/catalog [0].abort.status")


def test_what_was_written_survives_down_and_up(own_stack: Stack) -> None:
    own_stack.up()
    own_stack.run("split", "catalog", "dev=100")
    own_stack.run("fault", "orders", "--delay", "1ms")
    own_stack.run("down")
    own_stack.up()
    assert policy(own_stack, "catalog")["routes"][0]["destinations"] == [
        {"service": "catalog", "subset": "dev", "weight": 10000, "instances": 2}
    ]
    assert len(policy(own_stack, "orders")["faults"]) == 1
