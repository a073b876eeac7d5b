"""What was removed is remembered as it was, and no more of it than fits."""

from gossamer_mesh.discovery import removed
from gossamer_mesh.discovery.removed import Removed
from gossamer_mesh.model import Instance, Mesh, Service


def mesh(**instances):
    """A mesh whose services have instances of these ids, as `catalog="a b"`."""
    return Mesh.of(
        Service.of(name, [Instance(id=id_, host="10.0.0.1", port=80) for id_ in ids.split()])
        for name, ids in instances.items()
    )


def test_an_instance_that_is_gone_is_found_as_it_was():
    known = Removed()
    known.note(mesh(catalog="a b", orders="a"), mesh(catalog="b", orders="a"))
    assert known.find("catalog", "a") == Instance(id="a", host="10.0.0.1", port=80)
    assert known.find("catalog", "b") is known.find("orders", "a") is None


def test_an_instance_whose_service_is_gone_is_found():
    known = Removed()
    known.note(mesh(catalog="a"), mesh())
    assert known.find("catalog", "a")


def test_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(removed, "KEPT", 2)
    known = Removed()
    for gone in ("a", "b", "a", "c"):
        known.note(mesh(catalog=gone), mesh(catalog=""))
    assert [bool(known.find("catalog", id_)) for id_ in "abc"] == [True, False, True]
