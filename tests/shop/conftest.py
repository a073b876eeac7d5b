"""The whole stack for the tests of this folder: one for those that leave it as it was, started on first use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.load import build
from harness.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits until the stack is built and up."""
    for item in items:
        if "tests/shop" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(700))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack") / "state") as stack:
        stack.up()
        yield stack


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that a test may ruin. Not started; ended and removed whatever is left of it."""
    with Stack(tmp_path_factory.mktemp("own") / "state") as stack:
        yield stack


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program that makes load."""
    return build(tmp_path_factory.mktemp("load"))
