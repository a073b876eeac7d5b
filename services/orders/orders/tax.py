"""Asks the tax service what tax is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode
from grpc.aio import AioRpcError

from orders.domain import Order, RatesNotKnownError, Tax
from orders.others import AWAY, money_message, read_money
from shop.tax.v1 import tax_pb2 as pb

if TYPE_CHECKING:
    from shop.tax.v1.tax_pb2_grpc import TaxServiceAsyncStub


class TaxUnavailableError(Exception):
    """Taxes can't be asked for, or there was no answer in time; asking again later may help."""


class Taxes:
    """What tax is due, as the tax service knows it."""

    def __init__(self, stub: TaxServiceAsyncStub) -> None:
        """Use a client of the tax service."""
        self._stub = stub

    async def due(self, order: Order, *, within: float) -> list[Tax]:
        """Return the tax on each line of an order.

        Raises RatesNotKnownError, TaxUnavailableError when there is no answer within so many seconds, and ValueError
        for an amount that is none.
        """
        request = pb.QuoteRequest(country=order.place.country, subdivision=order.place.subdivision)
        for number, line in enumerate(order.lines):
            request.lines.add(id=str(number), category=line.category or "other", net=money_message(line.price))
        try:
            quote = await self._stub.Quote(request, timeout=within)
        except AioRpcError as error:
            if error.code() in AWAY:
                raise TaxUnavailableError(f"the tax service is away: {error.details()}") from error
            if error.code() == StatusCode.NOT_FOUND:
                raise RatesNotKnownError(error.details()) from error
            raise
        return [Tax(line.rate_percent, read_money(line.tax)) for line in quote.lines]
