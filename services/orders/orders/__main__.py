"""One instance of the orders service: `python -m orders`, configured by its environment."""

from gossamer_kit import Kit, KitError, run
from orders.adapter import Orders
from orders.catalog import Catalog
from orders.changes import open_feed
from orders.config import configure
from orders.inventory import Inventory
from orders.opening import prepare
from orders.selling import Selling
from orders.store import StoreError, open_store
from orders.tax import Taxes
from shop.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from shop.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from shop.orders.v1.orders_pb2_grpc import add_OrdersServiceServicer_to_server
from shop.tax.v1.tax_pb2_grpc import TaxServiceStub


async def main() -> None:
    """Serve orders until told to stop."""
    config, database, hold = configure()
    try:
        async with Kit(config) as kit:
            if not await kit.unless_stopped(prepare(database)):
                return
            async with open_store(database) as store, open_feed(database) as feed:
                selling = Selling(
                    store=store,
                    inventory=Inventory(kit.client(InventoryServiceStub, "inventory"), hold=hold),
                    taxes=Taxes(kit.client(TaxServiceStub, "tax")),
                )
                catalog = Catalog(kit.client(CatalogServiceStub, "catalog"))
                orders = Orders(store=store, feed=feed, catalog=catalog, selling=selling)
                await kit.serve(add_OrdersServiceServicer_to_server, orders)
                async with selling.following_up():
                    await kit.join()
                    await kit.wait()
    except StoreError as error:
        raise KitError(str(error)) from error


run(main)
