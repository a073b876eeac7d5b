"""Parts and instances are killed while calls run: the mesh goes on, and what was killed comes back."""

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.load import Load, build
from harness.stack import Stack, eventually

GET = ("-target=xds:///catalog", "-method=CatalogService/GetProduct", "-id=alpaca-throw")
ITEMS = [{"product_id": "alpaca-throw", "quantity": 1}]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("load"))


@pytest.fixture
def whole(stack: Stack) -> Iterator[Stack]:
    """Give the stack as it should be, and wait until it is so again."""
    names = list(stack.processes())
    yield stack
    eventually(lambda: stack.serves(*names), within=60)


def place(stack: Stack) -> dict:
    return stack.call("orders", "PlaceOrder", {"request_id": str(uuid.uuid4()), "customer_id": "a", "items": ITEMS})


def under_load(stack: Stack, program: Path, *words: str, seconds: float, event: Callable[[], object]) -> dict:
    """Run an event a second into a steady load, and give the load's summary."""
    with Load(program, stack.address("control"), *words, *GET, seconds=seconds) as load:
        load.run_for(1.0)
        event()
    assert load.summary["calls"] >= seconds * 200 * 0.95
    return load.summary


def test_no_call_fails_when_one_of_two_instances_is_killed(whole: Stack, program: Path) -> None:
    summary = under_load(whole, program, seconds=6, event=lambda: whole.run("kill", "catalog-1"))
    assert summary["failed"] == {}
    assert len(summary["answered_by"]) == 2


def test_control_without_retries_calls_fail_when_an_instance_is_killed(whole: Stack, program: Path) -> None:
    def kill_often() -> None:
        for _ in range(5):
            eventually(lambda: whole.serves("catalog-1"))
            whole.run("kill", "catalog-1")

    summary = under_load(whole, program, "-retries=false", seconds=15, event=kill_often)
    assert summary["failed"].get("Unavailable", 0) > 0


def test_a_killed_instance_is_back_in_rotation_within_five_seconds(whole: Stack, program: Path) -> None:
    pid = whole.processes()["catalog-2"]["pid"]
    whole.run("kill", "catalog-2")
    eventually(lambda: whole.processes()["catalog-2"]["pid"] not in (0, pid) and whole.serves("catalog-2"), within=5)
    summary = under_load(whole, program, seconds=2, event=lambda: None)
    assert len(summary["answered_by"]) == 2


def test_a_restart_of_all_instances_fails_no_call_even_without_retries(whole: Stack, program: Path) -> None:
    summary = under_load(
        whole,
        program,
        "-retries=false",
        seconds=15,
        event=lambda: whole.run("restart", "catalog"),
    )
    assert summary["failed"] == {}


@pytest.mark.parametrize("part", ["control", "consul", "collector"])
def test_calls_go_on_without_a_part(whole: Stack, program: Path, part: str) -> None:
    summary = under_load(whole, program, seconds=5, event=lambda: whole.run("kill", part))
    assert summary["failed"] == {}


def test_changes_are_followed_after_the_control_plane_was_killed(whole: Stack) -> None:
    whole.run("kill", "control")
    eventually(lambda: whole.serves("control", "catalog-1", "catalog-2"), within=30)
    whole.run("scale", "catalog", "3")
    eventually(lambda: "catalog-3" in whole.processes() and whole.serves("catalog-3"), within=20)
    whole.run("scale", "catalog", "2")
    assert "catalog-3" not in whole.processes()


def test_a_stopped_collector_slows_no_call(whole: Stack, program: Path) -> None:
    pid = whole.processes()["collector"]["pid"]
    memory = whole.processes()["orders-1"]["memory_bytes"]

    def stop_it() -> None:
        whole.run("kill", "collector", "-s", "STOP")

    try:
        summary = under_load(whole, program, seconds=6, event=stop_it)
        placed = place(whole)
        grown = whole.processes()["orders-1"]["memory_bytes"] - memory
    finally:
        whole.run("kill", "collector", "-s", "CONT")
    assert whole.processes()["collector"]["pid"] == pid
    assert summary["failed"] == {}
    assert placed["order"]["id"]
    assert grown < 20_000_000


def test_orders_answered_before_postgres_was_killed_are_there_afterwards(whole: Stack) -> None:
    placed = [place(whole) for _ in range(3)]
    pid = whole.processes()["postgres"]["pid"]
    whole.run("kill", "postgres", "-s", str(int(signal.SIGKILL)))
    refused = place(whole)
    if "error" in refused:
        assert refused["error"]["status"] == "UNAVAILABLE"
        reasons = {detail.get("reason") for detail in refused["error"]["details"]}
        assert reasons & {"STORE_UNAVAILABLE", "CATALOG_UNAVAILABLE"}
    eventually(lambda: "order" in place(whole), within=8)
    assert whole.processes()["postgres"]["pid"] != pid
    for each in placed:
        found = whole.call("orders", "GetOrder", {"id": each["order"]["id"]})
        assert found["order"]["id"] == each["order"]["id"]
