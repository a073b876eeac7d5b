"""gossamer call finds methods by reflection, and says what does not fit before or after it asks."""

import json

import pytest
from harness.stack import Stack


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["catlog", "ListProducts"], 1, "no service 'catlog' in the mesh; did you mean catalog?"),
        (["catalog", "ListProduct"], 2, "no method 'ListProduct'; did you mean ListProducts?"),
        (["catalog", "Nothing"], 2, "there are: "),
        (["catalog", "GetProduct", "{id: 1}"], 2, "the request is not JSON"),
        (["catalog", "GetProduct", '{"idd": "x"}'], 2, "Its fields: id"),
        (["catalog", "GetProduct", '{"id": 7}'], 2, "the JSON does not fit shop.catalog.v1.GetProductRequest"),
        (["catalog", "GetProduct", "{} {}"], 2, "GetProduct takes one JSON object, found 2"),
        (["catalog", "GetProduct", "[]"], 2, "the JSON does not fit"),
        (["catalog", "GetProduct", '{"id": "nope"}'], 1, "NOT_FOUND"),
        (["catalog", "GetProduct", "{}", "-i", "catalog-9"], 1, "catalog has no instance 'catalog-9'"),
        (["catalog", "GetProduct", "{}", "-H", "nonsense"], 2, "metadata must be written as 'key: value'"),
        (["catalog", "GetProduct", "{}", "-t", "0"], 2, "timeout"),
    ],
)
def test_what_does_not_fit_is_one_clear_message(stack: Stack, words: list[str], status: int, said: str) -> None:
    done = stack.run("call", *words, check=False)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "method",
    ["GetProduct", "CatalogService/GetProduct", "shop.catalog.v1.CatalogService/GetProduct",
     "shop.catalog.v1.CatalogService.GetProduct", "/shop.catalog.v1.CatalogService/GetProduct"],
)  # fmt: skip
def test_a_method_may_be_named_in_short_or_in_full(stack: Stack, method: str) -> None:
    assert stack.call("catalog", method, {"id": "alpaca-throw"})["product"]["name"] == "Alpaca Throw"


def test_an_instance_is_called_when_it_is_named(stack: Stack) -> None:
    done = stack.run("call", "orders", "ListOrders", "{}", "-i", "orders-2")
    assert "orders" in json.loads(done.stdout)
    assert "see: gossamer trace" in done.stderr


def test_address_gives_what_others_can_call(stack: Stack) -> None:
    [first, second] = [stack.address(f"catalog-{number}") for number in (1, 2)]
    assert stack.run("address", "catalog").stdout.rstrip() in {first, second}
    assert stack.run("address", "catalog", "-i", "catalog-2").stdout == f"{second}\n"
    told = json.loads(stack.run("address", "catalog", "--json").stdout)
    assert told == {"service": "catalog", "instances": {"catalog-1": first, "catalog-2": second}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["catlog"], "no service 'catlog' in the mesh; did you mean catalog?"),
        (["catalog", "-i", "catalog-9"], "catalog has no instance 'catalog-9'; there are: catalog-1, catalog-2"),
    ],
)
def test_what_has_no_address_is_told(stack: Stack, words: list[str], said: str) -> None:
    done = stack.run("address", *words, check=False)
    assert (done.returncode, done.stdout, said in done.stderr) == (1, "", True), done.stderr
