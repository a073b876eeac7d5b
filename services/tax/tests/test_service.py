"""The service as a process, called by grpcio's own client: quotes add up, and what is refused is named."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money
from harness.probe import built
from harness.refusals import refusal
from harness.service import ServiceProcess

from shop.tax.v1 import tax_pb2 as pb
from shop.tax.v1.tax_pb2_grpc import TaxServiceStub

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("tax")
    program = built(folder / "tax", ["kits/rust/build.sh", "tax", "{output}"])
    process = ServiceProcess([program], TaxServiceStub, folder / "log", GOSSAMER_SERVICE="tax")
    try:
        yield process.connect()
        assert process.stop() == 0
    finally:
        process.end()


def euros(amount: str, currency: str = "EUR") -> Money:
    units, nanos = divmod(int(Decimal(amount) * 10**9), 10**9)
    return Money(currency_code=currency, units=units, nanos=nanos)


def number(money: Money) -> Decimal:
    return Decimal(money.units) + Decimal(money.nanos) / 10**9


def line(category: str, net: Money, name: str = "1") -> pb.Line:
    return pb.Line(id=name, category=category, net=net)


def refused(stub: Any, request: pb.QuoteRequest) -> tuple[str, str, list[str]]:
    """Give the status, the reason and the fields to blame."""
    with pytest.raises(grpc.RpcError) as failure:
        stub.Quote(request, timeout=20)
    told = refusal(failure.value, "shop.tax.v1")
    return told.code.name, told.reason, told.fields


def test_a_quote_has_the_rate_of_each_category_and_says_who_published_it(stub: Any) -> None:
    lines = [line("books", euros("20.00"), "a"), line("kitchen", euros("9.99"), "b")]
    quote = stub.Quote(pb.QuoteRequest(country="AT", lines=lines), timeout=20)
    assert [(each.id, each.rate_percent, number(each.tax), number(each.gross)) for each in quote.lines] == [
        ("a", "10", Decimal("2.00"), Decimal("22.00")),
        ("b", "20", Decimal("2.00"), Decimal("11.99")),
    ]
    assert (number(quote.net), number(quote.tax), number(quote.gross)) == (
        Decimal("29.99"),
        Decimal("4.00"),
        Decimal("33.99"),
    )
    assert quote.rates_source
    assert quote.rates_date.startswith("20")


def test_sums_add_up_exactly_in_every_currency_and_either_rounding(stub: Any) -> None:
    dice = random.Random(20261126)
    for _ in range(50):
        currency, digits = dice.choice([("EUR", 2), ("JPY", 0), ("KWD", 3)])
        prices = [Decimal(dice.randrange(1, 10**6)).scaleb(-digits) for _ in range(dice.randint(1, 20))]
        lines = [line(dice.choice(["books", "food", "kitchen"]), euros(str(price), currency)) for price in prices]
        for rounding in (pb.ROUNDING_LINE, pb.ROUNDING_ORDER):
            quote = stub.Quote(pb.QuoteRequest(country="FR", lines=lines, rounding=rounding), timeout=20)
            taxes = [number(each.tax) for each in quote.lines]
            assert sum(taxes) == number(quote.tax)
            assert sum(prices) == number(quote.net)
            assert [number(each.gross) for each in quote.lines] == [
                price + tax for price, tax in zip(prices, taxes, strict=True)
            ]
            assert number(quote.gross) == number(quote.net) + number(quote.tax)
            assert all(tax == tax.quantize(Decimal(1).scaleb(-digits)) for tax in taxes)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (pb.QuoteRequest(country="ZZ", lines=[line("a", euros("1"))]), ("NOT_FOUND", "RATES_NOT_KNOWN", ["country"])),
        (
            pb.QuoteRequest(country="US", subdivision="US-XX", lines=[line("a", euros("1", "USD"))]),
            ("NOT_FOUND", "RATES_NOT_KNOWN", ["subdivision"]),
        ),
        (
            pb.QuoteRequest(country="AT", lines=[line("a", euros("1")), line("a", euros("1", "USD"))]),
            ("FAILED_PRECONDITION", "CURRENCIES_MIXED", []),
        ),
        (
            pb.QuoteRequest(country="AT", lines=[line("a", euros("1")), line("a", euros("1.001"))]),
            ("INVALID_ARGUMENT", "AMOUNT_TOO_FINE", ["lines[1].net"]),
        ),
        (
            pb.QuoteRequest(country="AT", lines=[line("a", euros("10000000001"))]),
            ("INVALID_ARGUMENT", "AMOUNT_TOO_LARGE", ["lines[0].net"]),
        ),
        (
            pb.QuoteRequest(country="AT", lines=[line("a", euros("1")), line("a", euros("1", "euro"))]),
            ("INVALID_ARGUMENT", "INVALID_REQUEST", ["lines[1].net.currency_code"]),
        ),
        (
            pb.QuoteRequest(country="at", lines=[line("a", euros("1"))]),
            ("INVALID_ARGUMENT", "INVALID_REQUEST", ["country"]),
        ),
        (pb.QuoteRequest(country="AT"), ("INVALID_ARGUMENT", "INVALID_REQUEST", ["lines"])),
    ],
)
def test_what_can_not_be_quoted_is_refused_by_name(
    stub: Any, request_: pb.QuoteRequest, expected: tuple[str, str, list[str]]
) -> None:
    assert refused(stub, request_) == expected
