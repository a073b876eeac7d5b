"""The collector's flags: all mistakes at once, each with what was expected and found."""

from pathlib import Path

import pytest

from gossamer_mesh.collect.settings import Address, Settings, from_arguments
from gossamer_mesh.errors import ConfigurationProblem, UsageProblem


def test_the_defaults_are_the_ports_that_people_know() -> None:
    assert from_arguments(["--store", "s.db"]) == Settings(
        grpc=Address(host="127.0.0.1", port=4317),
        http=Address(host="127.0.0.1", port=4318),
        query=Address(host="127.0.0.1", port=16686),
        store=Path("s.db"),
        max_bytes=256 * 2**20,
        max_age=24 * 3600.0,
    )


def test_every_flag_is_read() -> None:
    settings = from_arguments(
        [
            "--grpc",
            "[::1]:1",
            "--http",
            "a:2",
            "--query",
            "b:0",
            "--store",
            "x",
            "--max-bytes",
            "2MB",
            "--max-age",
            "1d",
        ]
    )
    assert (str(settings.grpc), str(settings.http), str(settings.query)) == ("[::1]:1", "a:2", "b:0")
    assert (settings.max_bytes, settings.max_age) == (2_000_000, 86400.0)


def test_all_bad_values_are_named_at_once() -> None:
    flags = ["--store", "x", "--grpc", "4317", "--http", "h:70000", "--max-bytes", "10", "--max-age", "-1h"]
    with pytest.raises(ConfigurationProblem) as caught:
        from_arguments([flag.replace("-1h", "0h") for flag in flags])
    assert str(caught.value).split("; ") == [
        "--grpc: expected HOST:PORT, found '4317'",
        "--http: expected HOST:PORT, found 'h:70000'",
        "--max-bytes: expected a size of at least 1MiB such as 256MiB, found '10'",
        "--max-age: expected a duration such as 90m, 24h or 7d, found '0h'",
    ]
    assert caught.value.status == 64


@pytest.mark.parametrize("age", ["9" * 400 + "h", "9" * 5000 + "s", "-1h", "0h"])
def test_an_age_that_is_no_duration_is_named(age: str) -> None:
    with pytest.raises(ConfigurationProblem, match=r"^--max-age: expected a duration such as 90m, 24h or 7d, found "):
        from_arguments(["--store", "x", f"--max-age={age}"])


@pytest.mark.parametrize("flags", [[], ["--store"], ["--store", "x", "--nonsense"], ["--store", "x", "--gr", "a:1"]])
def test_unknown_and_missing_flags_are_usage(flags: list[str]) -> None:
    with pytest.raises(UsageProblem) as caught:
        from_arguments(flags)
    assert caught.value.status == 2
    assert "\n" not in str(caught.value)
