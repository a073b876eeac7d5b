"""Parts and instances are killed while calls run: the mesh goes on, and what was killed comes back."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.load import GET_PRODUCT, Load, calls_of
from harness.stack import Stack, eventually

ITEMS = [{"product_id": "alpaca-throw", "quantity": 1}]
RATE = 200
GET_STOCK = calls_of("shop.inventory.v1.InventoryService/GetStock", {"product_ids": ["alpaca-throw"]})


@pytest.fixture
def whole(stack: Stack) -> Iterator[Stack]:
    """Give the stack as it should be, and wait until it is so again."""
    names = list(stack.processes())
    yield stack
    eventually(lambda: stack.serves(*names), within=60)


def place(stack: Stack) -> dict:
    return stack.call("orders", "PlaceOrder", {"request_id": str(uuid.uuid4()), "customer_id": "a", "items": ITEMS})


def under_load(
    stack: Stack,
    program: Path,
    *words: str,
    event: Callable[[Load], object],
    afterwards: float = 3.0,
    calls: tuple[str, ...] = GET_PRODUCT,
) -> dict:
    """Have an event happen a second into a steady load that goes on afterwards, and give the load's summary."""
    with Load(program, stack.address("control"), *words, *calls, rate=RATE) as load:
        load.run_for(1.0)
        event(load)
        load.run_for(afterwards)
    assert load.summary["ok"] >= (1.0 + afterwards) * RATE * 0.9
    return load.summary


@pytest.mark.parametrize("retries", [True, False], ids=["with retries", "without"])
def test_an_instance_killed_under_load_fails_no_call(whole: Stack, program: Path, retries: bool) -> None:
    """The control is the same kill without retries: then some of the same calls fail."""
    pid = whole.processes()["catalog-1"]["pid"]
    word = f"-retries={str(retries).lower()}"
    summary = under_load(whole, program, word, event=lambda load: load.kill(pid))
    assert set(summary["failed"]) == (set() if retries else {"Unavailable"})
    assert len(summary["answered_by"]) == 2


def test_a_killed_instance_comes_back_into_rotation(whole: Stack, program: Path) -> None:
    pid = whole.processes()["catalog-2"]["pid"]
    whole.run("kill", "catalog-2")
    eventually(lambda: whole.serves("catalog-2", instead_of=pid), within=60)
    summary = under_load(whole, program, event=lambda _: None)
    assert len(summary["answered_by"]) == 2


@pytest.mark.parametrize("calls", [GET_PRODUCT, GET_STOCK], ids=["catalog", "inventory"])
def test_a_restart_of_all_instances_fails_no_call_even_without_retries(
    whole: Stack, program: Path, calls: tuple[str, ...]
) -> None:
    """Java's instances take half a second from SERVING until they are registered: the next one must not go before."""
    service = calls[0].rpartition("/")[2]
    summary = under_load(whole, program, "-retries=false", event=lambda _: whole.run("restart", service), calls=calls)
    assert summary["failed"] == {}


# Longer than the second look, which waits 8 s for what an empty Consul does not hold.
@pytest.mark.parametrize(("part", "afterwards"), [("control", 4.0), ("collector", 4.0), ("consul", 12.0)])
def test_calls_go_on_without_a_part(whole: Stack, program: Path, part: str, afterwards: float) -> None:
    summary = under_load(whole, program, event=lambda _: whole.run("kill", part), afterwards=afterwards)
    assert summary["failed"] == {}


def test_changes_are_followed_after_the_control_plane_was_killed(whole: Stack) -> None:
    whole.run("kill", "control")
    eventually(lambda: whole.serves("control", "catalog-1", "catalog-2"), within=60)
    whole.run("scale", "catalog", "3")
    eventually(lambda: "catalog-3" in whole.processes() and whole.serves("catalog-3"), within=60)
    whole.run("scale", "catalog", "2")
    assert "catalog-3" not in whole.processes()


def test_orders_answered_before_postgres_was_killed_are_there_afterwards(whole: Stack) -> None:
    placed = [place(whole) for _ in range(3)]

    def refused() -> dict | None:
        whole.run("kill", "postgres", check=False)  # the pause before its next start grows: it may not run now
        return place(whole).get("error")

    error = eventually(refused, within=120)
    assert error["status"] == "UNAVAILABLE"
    assert {each.get("reason") for each in error["details"]} & {"STORE_UNAVAILABLE", "CATALOG_UNAVAILABLE"}
    eventually(lambda: "order" in place(whole), within=60)
    for each in placed:
        found = whole.call("orders", "GetOrder", {"id": each["order"]["id"]})
        assert found["order"]["id"] == each["order"]["id"]
