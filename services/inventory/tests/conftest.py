"""Two instances of the service in their own processes, on one real PostgreSQL, and clients of grpcio's own."""

import asyncio
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from harness.postgres import PostgresServer, running_postgres
from harness.probe import built
from harness.service import ServiceProcess

from shop.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

ROOT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits until the program is built."""
    for item in items:
        if "services/inventory" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit = yaml.safe_load((ROOT / "kits/java/kit.yaml").read_text())
    output = tmp_path_factory.mktemp("inventory") / "inventory"
    names = {"python": sys.executable, "service": "inventory", "module": "inventory", "output": output}
    return built(output, [word.format(**names) for word in kit["build"]])


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def start(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ServiceProcess]]:
    """Starts an instance on a database; all end with the session."""
    with ExitStack() as started:

        def start(database: str) -> ServiceProcess:
            log = tmp_path_factory.mktemp("inventory") / "log"
            words = {"GOSSAMER_SERVICE": "inventory", "DATABASE_URL": database}
            instance = ServiceProcess([program], InventoryServiceStub, log, **words)
            started.callback(instance.end)
            return instance

        yield start


@pytest.fixture(scope="session")
def database(postgres: PostgresServer) -> str:
    return postgres.database("inventory")


@pytest.fixture(scope="session")
def instances(database: str, start: Callable[[str], ServiceProcess]) -> tuple[Any, Any]:
    """Clients of two instances that share one database, which was empty when both were started at once."""
    one, two = start(database), start(database)
    return one.connect(), two.connect()


@pytest.fixture
def prepared(database: str, instances: tuple[Any, Any]) -> str:
    """The URL of the database, once it has its tables."""
    assert instances
    return database


@pytest.fixture
def one(instances: tuple[Any, Any]) -> Any:
    return instances[0]


@pytest.fixture
def two(instances: tuple[Any, Any]) -> Any:
    return instances[1]


@pytest.fixture
def product(prepared: str) -> Callable[[int], str]:
    """Brings in so many pieces of a new product, and gives its id."""

    def bring_in(pieces: int) -> str:
        product_id = f"product-{secrets.token_hex(4)}"
        _execute(prepared, "INSERT INTO stock (product_id, available) VALUES ($1, $2)", product_id, pieces)
        return product_id

    return bring_in


@pytest.fixture
def counted(database: str) -> Callable[[str], tuple[int, int, int]]:
    """Gives how many pieces of a product are available, reserved and committed, as PostgreSQL has them."""

    def count(product_id: str) -> tuple[int, int, int]:
        query = "SELECT available, reserved, committed FROM stock WHERE product_id = $1"
        return tuple(_execute(database, query, product_id)[0])

    return count


def _execute(database: str, query: str, *values: object) -> list[Any]:
    async def execute() -> list[Any]:
        connection = await asyncpg.connect(database)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(execute())
