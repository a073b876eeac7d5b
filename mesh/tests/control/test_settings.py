"""The command line: defaults, and all mistakes at once."""

from pathlib import Path

import pytest

from gossamer_mesh.control.settings import Settings, SettingsError, parse


def test_nothing_given_means_the_defaults():
    assert parse([]) == Settings()


def test_everything_can_be_given(tmp_path):
    image = tmp_path / "contracts.binpb"
    image.touch()
    given = ["--listen", "[::1]:0", "--consul", "https://consul:8501", "--contracts", str(image)]
    assert parse([*given, "--second-look", "1.5", "--settle", "2", "--instance", "control-1"]) == Settings(
        listen="[::1]:0", consul="https://consul:8501", contracts=image, second_look=1.5, settle=2, instance="control-1"
    )


def test_a_file_can_be_read_instead_of_consul():
    assert parse(["--file", "mesh.yaml"]).file == Path("mesh.yaml")


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsError) as refused:
        parse([
            "--listen=here",
            "--consul=consul:8500",
            "--contracts=/nowhere",
            "--second-look=-1",
            "--settle=nan",
        ])  # fmt: skip
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "--listen",
        "--consul",
        "--contracts",
        "--second-look",
        "--settle",
    ]


@pytest.mark.parametrize("listen", ["", "18000", ":18000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"])
def test_an_address_to_listen_on_is_host_and_port(listen):
    with pytest.raises(SettingsError, match="--listen: expected host:port"):
        parse(["--listen", listen])


@pytest.mark.parametrize("url", ["", "127.0.0.1:8500", "ftp://consul", "http://", "http://consul:port"])
def test_an_agent_is_a_url(url):
    with pytest.raises(SettingsError, match="--consul: expected a URL"):
        parse(["--consul", url])
