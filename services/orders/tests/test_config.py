import pytest
from orders.config import configure

from gossamer_kit import ConfigError

GOOD = {
    "GOSSAMER_SERVICE": "orders",
    "GOSSAMER_DISCOVERY": "static:catalog=127.0.0.1:1",
    "DATABASE_URL": "postgresql://orders:secret@127.0.0.1:5432/orders",
}


def test_the_database_comes_from_the_environment() -> None:
    config, database = configure(GOOD)
    assert (config.service, database) == ("orders", GOOD["DATABASE_URL"])


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
    with pytest.raises(ConfigError) as caught:
        configure({"GOSSAMER_SERVICE": "No Name", "GOSSAMER_LISTEN": "nowhere", "GOSSAMER_DISCOVERY": "static:"})
    named = [problem.split(":")[0] for problem in caught.value.problems]
    assert named == ["GOSSAMER_SERVICE", "GOSSAMER_LISTEN", "DATABASE_URL"]
