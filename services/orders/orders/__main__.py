"""One instance of the orders service: `python -m orders`, configured by its environment."""

from gossamer_kit import Kit, KitError, run
from orders.adapter import Orders
from orders.catalog import Catalog
from orders.changes import open_feed
from orders.config import configure
from orders.opening import prepare
from orders.store import StoreError, open_store
from shop.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from shop.orders.v1.orders_pb2_grpc import add_OrdersServiceServicer_to_server


async def main() -> None:
    """Serve orders until told to stop."""
    config, database = configure()
    try:
        async with Kit(config) as kit:
            if not await kit.unless_stopped(prepare(database)):
                return
            async with open_store(database) as store, open_feed(database) as feed:
                catalog = Catalog(kit.client(CatalogServiceStub, "catalog"))
                await kit.serve(add_OrdersServiceServicer_to_server, Orders(store=store, feed=feed, catalog=catalog))
                await kit.join()
                await kit.wait()
    except StoreError as error:
        raise KitError(str(error)) from error


run(main)
