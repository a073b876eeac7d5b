"""What the environment may say, and how a mistake in it is told."""

import json
from pathlib import Path

import pytest

from gossamer_kit import Config, ConfigError

ALONE = {"GOSSAMER_SERVICE": "orders", "GOSSAMER_DISCOVERY": "static:"}
BOOTSTRAP = json.dumps({"xds_servers": [{"server_uri": "127.0.0.1:18000"}], "node": {"id": "a"}})
IN_MESH = {"GOSSAMER_SERVICE": "orders", "GRPC_XDS_BOOTSTRAP_CONFIG": BOOTSTRAP}


def read(**changes: str) -> Config:
    return Config.from_environment({**ALONE, **changes})


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.from_environment(environment)
    return [problem.partition(":")[0] for problem in caught.value.problems]


def test_defaults() -> None:
    config = Config.from_environment(IN_MESH)
    assert config.instance.startswith("orders-")
    assert (config.version, config.zone) == ("dev", "local")
    assert (config.listen, config.advertise) == (("127.0.0.1", 0), "127.0.0.1")
    assert (config.deadline, config.drain) == (5.0, 20.0)
    assert (config.control, config.consul, config.static) == ("127.0.0.1:18000", "http://127.0.0.1:8500", None)
    assert (config.telemetry, config.span_delay, config.metric_interval) == (None, 0.2, 5.0)


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert read(GOSSAMER_ZONE="", GOSSAMER_DEADLINE="").deadline == 5.0


def test_instances_differ() -> None:
    assert read().instance != read().instance


def test_alone_it_joins_nothing_unless_told() -> None:
    assert read().consul is None
    assert read(CONSUL_HTTP_ADDR="127.0.0.1:9").consul == "http://127.0.0.1:9"


def test_addresses_of_services() -> None:
    config = read(GOSSAMER_DISCOVERY="static:a=127.0.0.1:1,b=127.0.0.1:2,a=127.0.0.1:3")
    assert config.static == {"a": ("127.0.0.1:1", "127.0.0.1:3"), "b": ("127.0.0.1:2",)}


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), ("2m", 120), ("250us", 0.00025)]
)
def test_durations_are_written_as_in_go(text: str, seconds: float) -> None:
    assert read(GOSSAMER_DRAIN=text).drain == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "-1s", "0s", "soon", "5 s", "s", "1d"])
def test_what_is_no_duration(text: str) -> None:
    assert problems({**ALONE, "GOSSAMER_DRAIN": text}) == ["GOSSAMER_DRAIN"]


@pytest.mark.parametrize("text", ["orders_api", "Orders", "1st", "-a", "a" * 64, "a-"])
def test_what_is_no_name(text: str) -> None:
    assert problems({**ALONE, "GOSSAMER_SERVICE": text}) == ["GOSSAMER_SERVICE"]


@pytest.mark.parametrize("text", ["nowhere", "127.0.0.1", "127.0.0.1:70000", ":0", "example.org:1"])
def test_what_can_not_be_listened_on(text: str) -> None:
    assert problems({**ALONE, "GOSSAMER_LISTEN": text}) == ["GOSSAMER_LISTEN"]


def test_all_addresses_are_advertised_as_one() -> None:
    assert read(GOSSAMER_LISTEN="0.0.0.0:0").advertise != "0.0.0.0"


def test_the_listen_address_is_advertised() -> None:
    assert read(GOSSAMER_LISTEN="[::1]:0").advertise == "::1"


def test_a_bootstrap_file_wins_over_text(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    file.write_text(BOOTSTRAP.replace("18000", "18001"))
    assert Config.from_environment({**IN_MESH, "GRPC_XDS_BOOTSTRAP": str(file)}).control == "127.0.0.1:18001"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"xds_servers": []}'])
def test_what_is_no_bootstrap(text: str) -> None:
    assert problems({**IN_MESH, "GRPC_XDS_BOOTSTRAP_CONFIG": text}) == ["GRPC_XDS_BOOTSTRAP_CONFIG"]


@pytest.mark.parametrize(
    ("sampler", "share", "follow", "ratio"),
    [
        ("", "", True, 1.0),
        ("always_on", "", False, 1.0),
        ("always_off", "", False, 0.0),
        ("traceidratio", "0.25", False, 0.25),
        ("parentbased_always_off", "", True, 0.0),
        ("parentbased_traceidratio", "0.01", True, 0.01),
        ("parentbased_traceidratio", "", True, 1.0),
    ],
)
def test_samplers_are_the_standard_ones(sampler: str, share: str, *, follow: bool, ratio: float) -> None:
    config = read(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=share)
    assert (config.follow_sampling, config.sampling_ratio) == (follow, ratio)


def test_every_problem_is_told_at_once() -> None:
    bad = {
        "GOSSAMER_SERVICE": "?",
        "GOSSAMER_LISTEN": "?",
        "GOSSAMER_DISCOVERY": "?",
        "GOSSAMER_ADVERTISE": "?",
        "GOSSAMER_DEADLINE": "?",
        "CONSUL_HTTP_ADDR": "ftp://",
        "OTEL_TRACES_SAMPLER": "?",
        "OTEL_BSP_SCHEDULE_DELAY": "?",
    }
    found = problems({**IN_MESH, **bad})
    assert set(found) == set(bad)


def test_a_problem_says_what_was_expected_and_found() -> None:
    with pytest.raises(ConfigError, match=r"GOSSAMER_DEADLINE: expected a time .* such as 5s or 500ms, found 'soon'"):
        read(GOSSAMER_DEADLINE="soon")


def test_secrets_are_not_shown() -> None:
    config = read(CONSUL_HTTP_TOKEN="hush", DATABASE_URL="postgresql://role:hush@127.0.0.1/orders")
    assert "hush" not in repr(config)
    assert config.database_url == "postgresql://role:hush@127.0.0.1/orders"
