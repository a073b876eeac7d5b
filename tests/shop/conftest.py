"""The whole stack for the tests of this folder: one for those that leave it as it was, started on first use."""

from collections.abc import Iterator

import pytest
from harness.stack import Stack


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker, since they share a stack; the first waits until it is built and up."""
    for item in items:
        if "tests/shop" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("stack"))
            item.add_marker(pytest.mark.timeout(700))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / "state")
    stack.up()
    yield stack
    stack.down()


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that a test may ruin. Not started; ended and removed whatever is left of it."""
    stack = Stack(tmp_path_factory.mktemp("own") / "state")
    yield stack
    stack.down()
