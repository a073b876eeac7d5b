"""Asks the catalog service what products cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc.aio import AioRpcError

from orders.domain import Product
from orders.others import AWAY, read_money
from shop.catalog.v1 import catalog_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shop.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub


class CatalogUnavailableError(Exception):
    """The catalog can't be reached, or did not answer in time; asking again later may help."""


class Catalog:
    """What the shop sells, as the catalog service tells it."""

    def __init__(self, stub: CatalogServiceAsyncStub) -> None:
        """Use a client of the catalog service."""
        self._stub = stub

    async def products(self, ids: Sequence[str], *, within: float) -> list[Product]:
        """Return those of the products that exist.

        Raises CatalogUnavailableError when there is no answer within so many seconds, and ValueError for a price that
        is none.
        """
        try:
            answer = await self._stub.BatchGetProducts(pb.BatchGetProductsRequest(ids=ids), timeout=within)
        except AioRpcError as error:
            if error.code() in AWAY:
                raise CatalogUnavailableError(f"the catalog is away: {error.details()}") from error
            raise
        return [_product(product) for product in answer.products]


def _product(product: pb.Product) -> Product:
    return Product(product.id, product.name, read_money(product.price), product.category)
