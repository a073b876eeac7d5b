"""What the values below `gossamer/` say, and which are no texts. In the shapes of Consul 1.22."""

from gossamer_mesh.consul.values import values_of


def test_values_are_read_by_key_without_the_prefix_and_folders_are_none():
    found = [
        {"Key": "gossamer/", "Value": None},
        {"Key": "gossamer/faults/", "Value": None},
        {"Key": "gossamer/faults/catalog", "Value": b'{"percent": 10}'},
        {"Key": "gossamer/empty", "Value": None},
    ]
    assert values_of(found) == ({"faults/catalog": '{"percent": 10}', "empty": ""}, {})
    assert values_of(None) == ({}, {})


def test_a_value_that_is_no_text_or_too_large_is_none_and_why():
    found = [{"Key": "gossamer/a", "Value": b"ab\xff"}, {"Key": "gossamer/b", "Value": b" " * 65537}]
    assert values_of(found) == (
        {},
        {
            "a": "expected JSON in UTF-8, found what is none at byte 2",
            "b": "expected at most 65536 bytes, found 65537",
        },
    )
