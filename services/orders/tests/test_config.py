import pytest
from orders.config import configure

from gossamer_kit import ConfigError

GOOD = {
    "GOSSAMER_SERVICE": "orders",
    "GOSSAMER_DISCOVERY": "static:catalog=127.0.0.1:1",
    "DATABASE_URL": "postgresql://orders:secret@127.0.0.1:5432/orders",
}


def test_the_database_comes_from_the_environment() -> None:
    config, database, hold = configure(GOOD)
    assert (config.service, database, hold) == ("orders", GOOD["DATABASE_URL"], 600)
    assert configure(GOOD | {"ORDERS_HOLD": "1.5"})[2] == 1.5


@pytest.mark.parametrize(
    "url", ["", "orders", "http://127.0.0.1/orders", "postgresql://127.0.0.1", "postgresql://a:b/c"]
)
def test_what_is_no_database_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(
        ConfigError, match="DATABASE_URL: expected postgresql://role:password@host:port/database"
    ) as caught:
        configure(GOOD | {"DATABASE_URL": url})
    assert not url or url not in str(caught.value)


def test_every_bad_variable_is_named_at_once() -> None:
    bad = {"GOSSAMER_SERVICE": "No Name", "GOSSAMER_LISTEN": "nowhere", "ORDERS_HOLD": "0"}
    with pytest.raises(ConfigError) as caught:
        configure({**bad, "GOSSAMER_DISCOVERY": "static:"})
    named = [problem.split(":")[0] for problem in caught.value.problems]
    assert named == ["GOSSAMER_SERVICE", "GOSSAMER_LISTEN", "DATABASE_URL", "ORDERS_HOLD"]


@pytest.mark.parametrize("hold", ["0", "86401", "soon", "nan"])
def test_a_time_that_the_inventory_refuses_is_refused(hold: str) -> None:
    with pytest.raises(ConfigError, match="ORDERS_HOLD: expected seconds from 1 to 86400"):
        configure(GOOD | {"ORDERS_HOLD": hold})
