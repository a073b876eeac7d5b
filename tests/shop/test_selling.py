"""What becomes of an order and its pieces when somebody is killed or missing: with the real inventory, from outside."""

import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from harness.stack import Stack, eventually

from shop.inventory.v1 import inventory_pb2 as pb
from shop.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

HOLD = "4"  # seconds


class Inventory:
    """One product's stock, as an instance of the inventory tells it by plain gRPC."""

    def __init__(self, stack: Stack, product_id: str) -> None:
        self.product_id = product_id
        self.channel = grpc.insecure_channel(stack.address("inventory-1"))
        self.stub = InventoryServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def stock(self) -> tuple[int, int]:
        """Give how many pieces are available, and how many put aside."""
        (found,) = self.stub.GetStock(pb.GetStockRequest(product_ids=[self.product_id]), timeout=20).stock
        return found.available, found.reserved

    def put_aside(self, quantity: int) -> None:
        """Put pieces aside for longer than any test takes."""
        request = pb.ReserveRequest(request_id=str(uuid.uuid4()), hold=Duration(seconds=600))
        request.items.add(product_id=self.product_id, quantity=quantity)
        self.stub.Reserve(request, timeout=20)


def order(product_id: str, quantity: int, **changes: str) -> dict[str, Any]:
    items = [{"product_id": product_id, "quantity": quantity}]
    return {"request_id": str(uuid.uuid4()), "customer_id": "ada", "items": items, **changes}


def test_an_order_is_taxed_and_takes_its_pieces_out_of_the_stock(stack: Stack) -> None:
    with Inventory(stack, "brass-desk-lamp") as inventory:
        available, reserved = inventory.stock()
        placed = stack.call("orders", "PlaceOrder", order("brass-desk-lamp", 3, country="FR"))["order"]
        assert inventory.stock() == (available - 3, reserved)
    assert [line["tax_percent"] for line in placed["lines"]] == ["20"]
    total, tax, gross = (cents(placed[key]) for key in ("total", "tax", "gross"))
    assert (tax, gross) == ((total * 20 + 50) // 100, total + tax)


def test_what_is_not_there_is_not_sold(stack: Stack) -> None:
    with Inventory(stack, "woven-door-mat") as inventory:
        while left := inventory.stock()[0]:
            inventory.put_aside(min(left, 1000))
        error = stack.call("orders", "PlaceOrder", order("woven-door-mat", 1))["error"]
    reason, fields = (detail for detail in error["details"])
    assert (error["status"], reason["reason"]) == ("FAILED_PRECONDITION", "OUT_OF_STOCK")
    assert [each["field"] for each in fields["field_violations"]] == ["items[0].quantity"]


def test_pieces_of_an_order_that_is_killed_half_way_come_back_when_their_time_is_up(own_stack: Stack) -> None:
    """The control is a reservation that has more time: its piece stays away."""
    own_stack.environment["ORDERS_HOLD"] = HOLD
    own_stack.up()
    own_stack.run("fault", "tax", "--delay", "60s")  # so that an order stands between its pieces and its taxes
    victim = own_stack.processes()["orders-1"]["pid"]
    with Inventory(own_stack, "brass-desk-lamp") as inventory, ThreadPoolExecutor(1) as pool:
        before, _ = inventory.stock()
        inventory.put_aside(1)
        wanted = order("brass-desk-lamp", 2)
        placing = pool.submit(own_stack.call, "orders", "PlaceOrder", wanted, "-i", "orders-1")
        eventually(lambda: inventory.stock() == (before - 3, 3))
        os.kill(victim, signal.SIGKILL)
        assert inventory.stock() == (before - 3, 3)
        assert placing.result()["error"]["status"] == "UNAVAILABLE"
        eventually(lambda: inventory.stock() == (before - 1, 1))
    assert own_stack.call("orders", "ListOrders", {})["orders"] == []


def test_where_services_are_left_out_orders_says_who_does_not_answer(own_stack: Stack, tmp_path: Path) -> None:
    own_stack.environment["PATH"] = without(tmp_path, "cargo", "java")
    own_stack.up()
    states = {name: each["state"] for name, each in own_stack.processes().items()}
    assert (states["tax"], states["inventory"], states["orders-1"]) == ("skipped", "skipped", "serving")
    error = own_stack.call("orders", "PlaceOrder", order("brass-desk-lamp", 2))["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("UNAVAILABLE", "INVENTORY_UNAVAILABLE")
    assert "since inventory does not answer" in error["message"]


def cents(money: dict[str, Any]) -> int:
    return 100 * int(money.get("units", 0)) + money.get("nanos", 0) // 10**7


def without(folder: Path, *names: str) -> str:
    """Make a folder of all programs on PATH but these, to be the only one on a PATH."""
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            if program.name not in names and not (link := folder / program.name).is_symlink():
                link.symlink_to(program)
    return str(folder)
