"""What makes a service stale: each file that an instance runs from, and nothing else."""

import shutil
from pathlib import Path

import pytest

from gossamer_mesh.declare import load
from gossamer_mesh.local.build import Recipe

ROOT = Path(__file__).parents[3]


@pytest.fixture
def orders(tmp_path: Path) -> Recipe:
    """Give the recipe of orders in a copy of what it is made of."""
    workspace = load(ROOT)
    for part in ("services/orders", "kits/python", "gen"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    service, kit = workspace.services["orders"], workspace.kits["python"]
    contracts = ("shop.orders.v1.OrdersService", "shop.catalog.v1.CatalogService")
    return Recipe(root=tmp_path, service=service, kit=kit, contracts=contracts, output=tmp_path / "orders")


@pytest.mark.parametrize("file", ["orders/domain.py", "orders/migrations/0009_more.sql"])
def test_a_changed_or_new_file_makes_it_stale(orders: Recipe, file: str) -> None:
    before = orders.fingerprint()
    path = orders.root / "services" / "orders" / file
    path.write_text("-- changed")
    assert orders.fingerprint() != before


@pytest.mark.parametrize("file", ["tests/test_domain.py", "README.md"])
def test_what_does_not_run_does_not_make_it_stale(orders: Recipe, file: str) -> None:
    before = orders.fingerprint()
    (orders.root / "services" / "orders" / file).write_text("# changed")
    assert orders.fingerprint() == before


@pytest.mark.parametrize(
    ("contract", "stale"),
    [("shop/orders", True), ("shop/catalog", True), ("gossamer/mesh", True), ("shop/loyalty", False)],
)
def test_only_stubs_of_what_it_serves_and_calls_make_it_stale(orders: Recipe, contract: str, stale: bool) -> None:
    """gossamer.mesh is what the kit itself calls; shop.loyalty is nobody's concern here."""
    before = orders.fingerprint()
    stub = orders.root / "gen" / "python" / contract / "v1" / "more_pb2.py"
    stub.parent.mkdir(parents=True, exist_ok=True)
    stub.write_text("# new")
    assert (orders.fingerprint() != before) is stale
