"""Ports that are reserved: nobody is given them by chance, and whoever names them can listen there."""

import socket
import sys
from collections.abc import Iterator

import pytest

from gossamer_mesh.local.ports import HOST, Reserved, is_free

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a bound port can't be bound again")


@pytest.fixture
def reserved() -> Iterator[Reserved]:
    reserved = Reserved()
    yield reserved
    reserved.close()


def bind(port: int) -> None:
    """Bind as the system binds for those who ask for port 0: only what nobody else has bound."""
    with socket.socket() as probe:
        probe.bind((HOST, port))


def test_a_reserved_port_can_be_listened_on_again_and_again_by_name(reserved: Reserved) -> None:
    port = reserved.take()
    for _ in range(3):
        with socket.create_server((HOST, port)), socket.create_connection((HOST, port), timeout=5):
            assert not is_free(port)
    assert is_free(port)


def test_a_reserved_port_is_given_to_nobody_else(reserved: Reserved) -> None:
    port = reserved.take()
    with pytest.raises(OSError, match="in use"):
        bind(port)


def test_control_after_it_was_given_back_it_is_given_to_others(reserved: Reserved) -> None:
    port = reserved.take()
    reserved.close()
    bind(port)
