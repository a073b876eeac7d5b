"""What network tests share: the clients of tests/clients, built once for each process that runs tests."""

import pytest
from harness.client import Program, build


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> dict[str, Program]:
    """The client of every language."""
    return build(tmp_path_factory.mktemp("clients"))
