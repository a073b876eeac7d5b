"""Where addresses were told to be."""

from gossamer_mesh.xds import Type, holders
from gossamer_mesh.xds.holders import Holders
from gossamer_mesh.xds.resource import Resource


def assignment(name, *addresses):
    return Resource(type=Type.CLUSTER_LOAD_ASSIGNMENT, name=name, wire=b"", addresses=frozenset(addresses))


def test_an_address_is_found_in_every_assignment_that_held_it():
    held = Holders()
    for each in (assignment("catalog", "a:1", "b:1"), assignment("catalog/v2", "a:1"), assignment("catalog")):
        held.note(each)
    assert held.of("a:1") == {"catalog", "catalog/v2"}
    assert held.of("c:1") == frozenset()


def test_what_was_told_longest_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr(holders, "KEPT", 2)
    held = Holders()
    for each in (assignment("x", "a:1"), assignment("x", "b:1"), assignment("y", "a:1"), assignment("x", "c:1")):
        held.note(each)
    assert [held.of(address) for address in ("a:1", "b:1", "c:1")] == [{"x", "y"}, frozenset(), {"x"}]
