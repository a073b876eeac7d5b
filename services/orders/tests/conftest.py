"""Peers for tests of the service: a real PostgreSQL, a catalog on plain gRPC, and the service in its own processes."""

import contextlib
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import hypothesis
import pytest
from google.rpc import error_details_pb2, status_pb2
from google.type.money_pb2 import Money
from grpc_status import rpc_status
from harness.postgres import PostgresServer, running_postgres
from harness.service import PATIENCE, ServiceProcess

from shop.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from shop.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from shop.orders.v1.orders_pb2_grpc import OrdersServiceStub
from shop.tax.v1 import tax_pb2, tax_pb2_grpc

# How long an example takes says how busy the machine is, not whether it is right; every test has a deadline anyway.
hypothesis.settings.register_profile("gossamer", deadline=None)
hypothesis.settings.load_profile("gossamer")

ROOT = Path(__file__).parents[3]
PRICES = {
    "blue-cup": Money(currency_code="EUR", units=7, nanos=50_000_000),
    "brass-desk-lamp": Money(currency_code="EUR", units=49, nanos=900_000_000),
    "dollar-mug": Money(currency_code="USD", units=5),
}


class InventoryPeer(inventory_pb2_grpc.InventoryServiceServicer):
    """An inventory that has enough of everything that `pieces` does not name."""

    def __init__(self) -> None:
        self.pieces: dict[str, int] = {}
        self.away: set[str] = set()
        self.refused: list[str] = []
        self.holds: list[float] = []
        self.states: dict[str, int] = {}
        self.committing = threading.Event()
        self.committing.set()

    def Reserve(self, request: Any, context: Any) -> Any:
        self._be_away("Reserve", context)
        short = [item.product_id for item in request.items if self.pieces.get(item.product_id, 1000) < item.quantity]
        if short:
            failure = error_details_pb2.PreconditionFailure()
            for product_id in short:
                failure.violations.add(type="STOCK", subject=product_id)
            info = error_details_pb2.ErrorInfo(reason="OUT_OF_STOCK", domain="shop.inventory.v1")
            context.abort_with_status(rpc_status.to_status(_status(9, info, failure)))
        self.holds.append(request.hold.ToTimedelta().total_seconds())
        self.states[request.request_id] = inventory_pb2.RESERVATION_STATE_HELD
        return inventory_pb2.ReserveResponse(reservation=inventory_pb2.Reservation(id=request.request_id))

    def Commit(self, request: Any, context: Any) -> Any:
        self._be_away("Commit", context)
        self.committing.wait(PATIENCE)
        if self.states[request.id] not in {
            inventory_pb2.RESERVATION_STATE_HELD,
            inventory_pb2.RESERVATION_STATE_COMMITTED,
        }:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "ended")
        self.states[request.id] = inventory_pb2.RESERVATION_STATE_COMMITTED
        return inventory_pb2.CommitResponse()

    def Release(self, request: Any, context: Any) -> Any:
        self._be_away("Release", context)
        self.states[request.id] = inventory_pb2.RESERVATION_STATE_RELEASED
        return inventory_pb2.ReleaseResponse()

    def _be_away(self, method: str, context: Any) -> None:
        if method in self.away:
            self.refused.append(method)
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


class TaxPeer(tax_pb2_grpc.TaxServiceServicer):
    """Taxes of a fifth, rounded down to whole cents, everywhere but in ZZ, which it does not know."""

    def __init__(self) -> None:
        self.away = False
        self.answering = threading.Event()
        self.answering.set()
        self.categories: list[str] = []

    def Quote(self, request: Any, context: Any) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        self.answering.wait(PATIENCE)
        if request.country == "ZZ":
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        self.categories = [line.category for line in request.lines]
        answer = tax_pb2.QuoteResponse()
        for line in request.lines:
            cents = (line.net.units * 100 + line.net.nanos // 10_000_000) // 5
            tax = Money(currency_code=line.net.currency_code, units=cents // 100, nanos=cents % 100 * 10_000_000)
            answer.lines.add(id=line.id, rate_percent="20", tax=tax)
        return answer


def _status(code: int, *details: Any) -> Any:
    status = status_pb2.Status(code=code, message="refused")
    for detail in details:
        status.details.add().Pack(detail)
    return status


class CatalogPeer(catalog_pb2_grpc.CatalogServiceServicer):
    """A catalog on grpcio's own server, with an inventory and a tax service beside it: none knows of the kit."""

    def __init__(self) -> None:
        self.inventory, self.tax = InventoryPeer(), TaxPeer()  # type: ignore[abstract]  # asked for nothing else
        self.prices = dict(PRICES)
        self.answering = threading.Event()
        self.answering.set()
        self.time_left: list[float] = []
        self.port = 0
        self._server: Any = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(self, self._server)
        inventory_pb2_grpc.add_InventoryServiceServicer_to_server(self.inventory, self._server)
        tax_pb2_grpc.add_TaxServiceServicer_to_server(self.tax, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def BatchGetProducts(self, request: Any, context: Any) -> Any:
        self.time_left.append(context.time_remaining())
        self.answering.wait(PATIENCE)
        found = [product_id for product_id in request.ids if product_id in self.prices]
        missing = [product_id for product_id in request.ids if product_id not in found]
        return catalog_pb2.BatchGetProductsResponse(products=map(self._product, found), missing_ids=missing)

    def _product(self, product_id: str) -> Any:
        name = product_id.replace("-", " ").capitalize()
        return catalog_pb2.Product(id=product_id, name=name, price=self.prices[product_id], category="kitchen")


class OrdersProcess(ServiceProcess):
    """One instance of the service, which finds all that it calls at one address."""

    def __init__(self, database: str, others: str, log: Path) -> None:
        super().__init__(
            [sys.executable, "-m", "orders"],
            OrdersServiceStub,
            log,
            GOSSAMER_SERVICE="orders",
            GOSSAMER_DISCOVERY=f"static:catalog={others},inventory={others},tax={others}",
            GOSSAMER_DRAIN=f"{2 * PATIENCE}s",  # whoever waits for a drain that lasts that long fails
            DATABASE_URL=database,
            PYTHONPATH=str(ROOT / "services" / "orders"),
        )


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[PostgresServer]:
    """Runs for the whole session: a test that kills or pauses it takes `postgres`."""
    with running_postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[PostgresServer]:
    with running_postgres(fsync=False) as server:
        yield server


@pytest.fixture
def postgres(mortal_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL that a test may kill and pause; the next test finds it running."""
    yield mortal_postgres
    mortal_postgres.resume()
    if not mortal_postgres.running:
        mortal_postgres.start()


@pytest.fixture
def url(shared_postgres: PostgresServer) -> str:
    """The URL of a new and empty database."""
    return new_database(shared_postgres)


@pytest.fixture
def mortal_url(postgres: PostgresServer) -> str:
    """The URL of a new and empty database in the PostgreSQL that a test may kill."""
    return new_database(postgres)


def new_database(server: PostgresServer) -> str:
    return server.database(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def catalog_peer() -> Iterator[CatalogPeer]:
    peer = CatalogPeer()  # type: ignore[abstract]  # orders asks nothing else of it
    peer.start()
    yield peer
    peer.answering.set()
    peer.stop()


@pytest.fixture
def catalog(catalog_peer: CatalogPeer) -> Iterator[CatalogPeer]:
    """A catalog whose prices a test may change and whose answers it may hold back; whole again afterwards."""
    yield catalog_peer
    catalog_peer.prices = dict(PRICES)
    catalog_peer.answering.set()


@pytest.fixture(scope="session")
def start_orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], OrdersProcess]]:
    """Starts an instance on a database, with a catalog; all end with the session."""
    with contextlib.ExitStack() as started:

        def start(database: str, catalog: str) -> OrdersProcess:
            process = OrdersProcess(database, catalog, tmp_path_factory.mktemp("orders") / "log")
            started.callback(process.end)
            return process

        yield start


@pytest.fixture(scope="session")
def instances(
    shared_postgres: PostgresServer, catalog_peer: CatalogPeer, start_orders: Callable[[str, str], OrdersProcess]
) -> tuple[Any, Any]:
    """Clients of two instances that share one database, which was empty when both were started at once."""
    database = shared_postgres.database("orders")
    one, two = (start_orders(database, catalog_peer.address) for _ in range(2))
    return one.connect(), two.connect()


@pytest.fixture
def orders(instances: tuple[Any, Any]) -> Any:
    """A client of one instance."""
    return instances[0]
