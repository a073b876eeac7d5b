"""A customer's way through the shop, called with grpcurl and with `gossamer call`."""

import asyncio
import json
import subprocess
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from harness.stack import GRPCURL, Stack, eventually

THROW = {"product_id": "alpaca-throw", "quantity": 2}


def grpcurl(address: str, method: str, request: object = None) -> Any:
    words = [GRPCURL, "-plaintext", "-max-time", "10"]
    words += ["-d", json.dumps(request)] if request is not None else []
    done = subprocess.run([*words, address, method], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def price(money: dict[str, Any]) -> tuple[str, int]:
    return money.get("units", "0"), money.get("nanos", 0)


def place(stack: Stack, request_id: str, *words: str, **changes: object) -> dict[str, Any]:
    request = {"request_id": request_id, "customer_id": "ada", "items": [THROW], **changes}
    return stack.call("orders", "PlaceOrder", request, *words)


def test_grpcurl_lists_what_an_instance_serves(stack: Stack) -> None:
    listed = set(grpcurl(stack.address("catalog-1"), "list").split())
    assert set(listed) >= {
        "shop.catalog.v1.CatalogService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    }
    assert "shop.orders.v1.OrdersService" in grpcurl(stack.address("orders-1"), "list").split()


def test_grpcurl_places_an_order_with_real_products(stack: Stack) -> None:
    listing = "shop.catalog.v1.CatalogService/ListProducts"
    page = json.loads(grpcurl(stack.address("catalog-2"), listing, {"page_size": 3}))
    items = [{"product_id": product["id"], "quantity": 1} for product in page["products"]]
    request = {"request_id": str(uuid.uuid4()), "customer_id": "grace", "items": items}
    order = json.loads(grpcurl(stack.address("orders-1"), "shop.orders.v1.OrdersService/PlaceOrder", request))["order"]
    assert [price(line["unitPrice"]) for line in order["lines"]] == [price(each["price"]) for each in page["products"]]
    assert order["state"] == "ORDER_STATE_PLACED"


def test_the_catalog_holds_at_least_sixty_products_in_eight_categories(stack: Stack) -> None:
    products, token = [], ""
    while True:
        page = stack.call("catalog", "ListProducts", {"page_size": 25, "page_token": token})
        products += page["products"]
        if not (token := page["next_page_token"]):
            break
    assert len(products) >= 60
    assert len({product["category"] for product in products}) == 8
    assert len({product["id"] for product in products}) == len(products)
    assert all(product[key] for product in products for key in ("name", "description", "picture", "tags"))


def test_the_same_request_at_both_instances_at_once_is_one_order(stack: Stack) -> None:
    request_id = str(uuid.uuid4())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: place(stack, request_id, "-i", f"orders-{1 + n % 2}"), range(4)))
    assert len({answer["order"]["id"] for answer in answers}) == 1


def test_a_request_id_with_other_content_is_refused(stack: Stack) -> None:
    request_id = str(uuid.uuid4())
    place(stack, request_id)
    error = place(stack, request_id, customer_id="eve")["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")


def test_an_order_is_watched_on_one_instance_and_cancelled_on_the_other(stack: Stack) -> None:
    order = place(stack, str(uuid.uuid4()))["order"]
    words = ["call", "orders", "WatchOrder", json.dumps({"id": order["id"]}), "--json", "-i", "orders-1", "-t", "20"]
    with ThreadPoolExecutor(1) as pool:
        watch = pool.submit(stack.run, *words)
        cancel = {"id": order["id"], "request_id": str(uuid.uuid4())}
        cancelled = stack.call("orders", "CancelOrder", cancel, "-i", "orders-2")
        seen = [json.loads(line)["change"] for line in watch.result().stdout.splitlines()]
    assert cancelled["order"]["state"] == "ORDER_STATE_CANCELLED"
    changes = [(each["sequence"], each["state"]) for each in seen]
    assert changes == [(1, "ORDER_STATE_PLACED"), (2, "ORDER_STATE_CANCELLED")]


@pytest.mark.parametrize(
    ("service", "method", "request_", "status", "reason", "fields"),
    [
        ("catalog", "GetProduct", {}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["id"]),
        ("orders", "GetOrder", {}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["id"]),
        ("catalog", "GetProduct", {"id": "x" * 65}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["id"]),
        ("orders", "GetOrder", {"id": "x" * 65}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["id"]),
        ("catalog", "ListProducts", {"page_size": -1}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["page_size"]),
        ("orders", "ListOrders", {"page_size": -1}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["page_size"]),
        ("catalog", "GetProduct", {"id": "nope"}, "NOT_FOUND", "PRODUCT_NOT_FOUND", None),
        ("orders", "GetOrder", {"id": "nope"}, "NOT_FOUND", "ORDER_NOT_FOUND", None),
        ("catalog", "ListProducts", {"page_token": "nope"}, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", ["page_token"]),
        ("orders", "ListOrders", {"page_token": "nope"}, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", ["page_token"]),
        (
            "orders",
            "PlaceOrder",
            {"request_id": "no", "items": [{"product_id": "a", "quantity": -1}]},
            "INVALID_ARGUMENT",
            "INVALID_REQUEST",
            ["request_id", "customer_id", "items[0].quantity"],
        ),
        (
            "orders",
            "PlaceOrder",
            {"request_id": str(uuid.uuid4()), "customer_id": "a", "items": [THROW] * 10_000},
            "INVALID_ARGUMENT",
            "INVALID_REQUEST",
            ["items"],
        ),
        (
            "orders",
            "PlaceOrder",
            {"request_id": str(uuid.uuid4()), "customer_id": "a", "items": [{"product_id": "nope", "quantity": 1}]},
            "NOT_FOUND",
            "PRODUCT_NOT_FOUND",
            ["items[0].product_id"],
        ),
        ("catalog", "BatchGetProducts", {"ids": ["a", "a"]}, "INVALID_ARGUMENT", "INVALID_REQUEST", ["ids"]),
    ],
)
def test_bad_input_is_told_apart_by_status_reason_and_field(
    stack: Stack, service: str, method: str, request_: object, status: str, reason: str, fields: list[str] | None
) -> None:
    error = stack.call(service, method, request_)["error"]
    details = {detail["@type"]: detail for detail in error["details"]}
    info = details["google.rpc.ErrorInfo"]
    assert (error["status"], info["reason"], info["domain"]) == (status, reason, f"shop.{service}.v1")
    if fields is not None:
        assert [each["field"] for each in details["google.rpc.BadRequest"]["field_violations"]] == fields


def test_a_trace_of_an_order_shows_all_services_within_a_second(stack: Stack) -> None:
    done = stack.run(
        "call", "orders", "PlaceOrder",
        json.dumps({"request_id": str(uuid.uuid4()), "customer_id": "ada", "items": [THROW]}),
    )  # fmt: skip
    trace_id = done.stderr.split()[-1]

    def spans() -> list[dict[str, Any]]:
        shown = stack.run("trace", trace_id, "--json", check=False)
        return json.loads(shown.stdout)["spans"] if shown.returncode == 0 else []

    eventually(lambda: len(spans()) >= 11)
    called = Counter(each["operation"].removeprefix("shop.") for each in spans())
    for method in (
        "catalog.v1.CatalogService/BatchGetProducts",
        "inventory.v1.InventoryService/Reserve",
        "tax.v1.TaxService/Quote",
        "inventory.v1.InventoryService/Commit",
    ):
        assert called[method] == 2, called  # by the one that calls and the one that is called
    drawn = stack.run("trace", trace_id).stdout
    assert [name for name in ("orders", "catalog", "inventory", "tax") if f"─ {name}-" not in drawn] == []


def test_each_service_has_a_database_that_no_other_can_enter(stack: Stack) -> None:
    passwords = stack.state / "postgres" / "passwords"
    address = stack.address("postgres")

    async def connect(role: str, database: str) -> None:
        url = f"postgresql://{role}:{(passwords / role).read_text()}@{address}/{database}"
        await (await asyncpg.connect(url)).close()

    asyncio.run(connect("catalog", "catalog"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(connect("catalog", "orders"))
