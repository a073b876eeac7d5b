"""How tests are shared out to the processes of pytest-xdist."""

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/shop/",  # one stack
    "services/inventory/",  # one database each
    "services/orders/",
    "services/tax/",
    "tests/network/test_envoy_client.py",  # one process brings Envoy, if it is not there yet
)
"""Whose tests share what takes long to begin. The first of a folder with a stack waits until it is built and up."""


class Together(LoadScopeScheduling):
    """Keeps such tests in one process, where xdist's own marks do nothing with pytest 9.2 (pytest-xdist #1386)."""

    def _split_scope(self, nodeid: str) -> str:
        return next((part for part in TOGETHER if nodeid.startswith(part)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    """Share out by what is shared, and all else test by test."""
    return Together(config, log)
