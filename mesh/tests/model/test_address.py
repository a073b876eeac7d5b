"""How hosts are written and read."""

import pytest

from gossamer_mesh.model.address import canonical, packed


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("catalog.internal", "catalog.internal"),
        ("010.0.0.1", "010.0.0.1"),
        ("10.0.0.1\0", "10.0.0.1\0"),
        ("", ""),
    ],
)
def test_an_ip_literal_is_written_in_its_shortest_form_and_anything_else_stays(host, written):
    assert canonical(host) == written


def test_an_ip_literal_has_bytes():
    assert packed("10.0.0.1") == bytes([10, 0, 0, 1])


@pytest.mark.parametrize("host", ["catalog.internal", "010.0.0.1", "10.1", "10.0.0.1\0", "ö", ":", ""])
def test_anything_else_has_none(host):
    assert packed(host) is None
