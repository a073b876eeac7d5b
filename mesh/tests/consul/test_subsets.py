"""Which filters are asked for, and which are too much for Consul. In the shapes of Consul 1.22."""

import pytest

from gossamer_mesh.consul.subsets import costly, subsets_in


def target(service, filter_="", **more):
    return {"Service": service, "Datacenter": "dc1", "Subset": {"Filter": filter_} if filter_ else {}, **more}


def test_subsets_are_those_of_targets_in_this_datacenter():
    targets = {
        "v1.a": target("a", "version == v1"),
        "v1.b": target("b", "version == v1"),
        "c": target("c"),
        "away": target("a", "x == 1", Datacenter="dc2"),
        "peer": target("a", "y == 1", Peer="other"),
        "..": target("..", "z == 1"),
    }
    chain = {"Datacenter": "dc1", "Targets": targets}
    assert list(subsets_in(chain)) == [("a", "version == v1"), ("b", "version == v1")]
    assert list(subsets_in({"Datacenter": "dc1", "Targets": None})) == []


@pytest.mark.parametrize("filter_", ["a == 1", "(((a == 1))) and (b == 2)", "(" * 3 + ")" * 3 + "(", "x" * 512])
def test_a_filter_that_consul_is_quick_with_is_asked_for(filter_):
    assert costly(filter_) == ""


@pytest.mark.parametrize(
    ("filter_", "reason"),
    [
        ("x" * 513, "expected at most 512 characters, found 513"),
        ("a and ((((b))))", "expected parentheses nested at most 3 deep, found 4: Consul takes too long for it"),
    ],
)
def test_a_filter_that_consul_takes_long_for_is_not(filter_, reason):
    assert costly(filter_) == reason
