"""Who is told what: views from nodes, and what equal and different views share."""

import pytest
from envoy.config.core.v3 import base_pb2

from gossamer_mesh.model import Audience, Balance, Cluster, Endpoint, Plan, Route, Share
from gossamer_mesh.xds import Dialect, Resources, View
from gossamer_mesh.xds.node import Node

from .conversation import CDS, EDS, LDS, RDS, plan

ALL = (LDS, RDS, CDS, EDS)


@pytest.mark.parametrize(
    ("name", "version", "dialect"),
    [
        ("gRPC C-core linux Python", "C-core 58.0.0 Python 1.85.1", Dialect.C_CORE),
        ("gRPC Go", "1.85.0", Dialect.GO),
        ("gRPC Java", "1.85.1", Dialect.JAVA),
        ("gRPC Node Pure JS", "1.14.1", Dialect.NODE),
        ("gRPC Rust tonic-xds", "0.1.0-alpha.4", Dialect.RUST),
        ("envoy", "", Dialect.ENVOY),
        ("grpcurl", "1", Dialect.OTHER),
        ("", "", Dialect.OTHER),
    ],
)
def test_the_user_agent_tells_the_dialect(name, version, dialect):
    node = base_pb2.Node(user_agent_name=name, user_agent_version=version)
    assert View.of(Node.of(node)).dialect is dialect


def test_a_view_knows_the_zone_and_the_caller():
    node = base_pb2.Node(id="shop/web/1", cluster="web", locality={"zone": "z1"}, user_agent_name="gRPC Go")
    view = View.of(Node.of(node))
    assert view == View(dialect=Dialect.GO, zone="z1", caller="web")
    assert view.audience == Audience(zone="z1", caller="web")


@pytest.mark.parametrize(
    ("metadata", "by_kit"),
    [
        ({"gossamer.retries": "kit"}, True),
        ({"gossamer.retries": "library"}, False),
        ({"gossamer.retries": 1}, False),
        ({}, False),
    ],
)
def test_a_view_knows_whether_a_kit_makes_the_attempts(metadata, by_kit):
    node = base_pb2.Node(user_agent_name="gRPC Go")
    node.metadata.update(metadata)
    assert View.of(Node.of(node)) == View(dialect=Dialect.GO, by_kit=by_kit)


def test_where_a_kit_has_nothing_to_do_its_library_holds_what_others_do():
    made = resources(plan("catalog", 1))
    kit, library = (made.of(View(by_kit=by_kit)) for by_kit in (True, False))
    assert all(kit.get(type_, "catalog") is library.get(type_, "catalog") for type_ in ALL)


def test_of_what_a_node_says_no_more_is_kept_than_an_honest_one_needs():
    node = Node.of(base_pb2.Node(id="i" * 10_000, cluster="c" * 10_000, locality={"zone": "z" * 10_000}))
    assert {len(text) for text in (node.id, node.cluster, node.zone)} == {1000}


def resources(*plans, audience=Audience()):  # noqa: B008 - a value
    made = Resources(boot="boot")
    made.update(audience, plans)
    return made


def test_equal_views_share_the_set():
    made = resources(plan("catalog", 1))
    assert made.of(View(dialect=Dialect.RUST)) is made.of(View(dialect=Dialect.RUST))
    assert made.of(View(dialect=Dialect.GO)) is made.of(View(dialect=Dialect.JAVA))


def test_a_resource_that_a_dialect_does_not_change_is_the_same_one():
    timed = Plan(
        service="catalog", routes=(Route(to=(Share(cluster="catalog"),), timeout=1),), clusters=plan("catalog").clusters
    )
    made = resources(timed)
    go, core, rust, envoy = (
        made.of(View(dialect=dialect)) for dialect in (Dialect.GO, Dialect.C_CORE, Dialect.RUST, Dialect.ENVOY)
    )
    shared = {type_: go.get(type_, "catalog") for type_ in ALL}
    assert [core.get(type_, "catalog") is shared[type_] for type_ in ALL] == [True, False, True, True]
    assert [rust.get(type_, "catalog") is shared[type_] for type_ in ALL] == [True, True, True, True]
    assert [envoy.get(type_, "catalog") is shared[type_] for type_ in ALL] == [False, False, False, True]


def test_a_change_reaches_every_dialect_that_somebody_asked_for():
    made = resources(plan("catalog", 1))
    views = [View(dialect=dialect) for dialect in Dialect]
    before = [made.of(view) for view in views]
    made.update(Audience(), [plan("catalog", 2)])
    assert {made.of(view).get(EDS, "catalog").addresses for view in views} == {frozenset({"127.0.0.1:2"})}
    assert len({made.of(view).get(EDS, "catalog") for view in views}) == 1
    assert all(made.of(view) is not earlier for view, earlier in zip(views, before, strict=True))


def test_a_change_that_a_dialect_does_not_see_leaves_its_set_as_it_is():
    def two_levels(port):
        levels = (endpoints(1), endpoints(port))
        return Plan(service="catalog", clusters=(Cluster(name="catalog", levels=levels),))

    made = resources(two_levels(2))
    rust = made.of(View(dialect=Dialect.RUST))
    made.update(Audience(), [two_levels(3)])
    assert made.of(View(dialect=Dialect.RUST)) is rust


def endpoints(*ports):
    return tuple(Endpoint(host="127.0.0.1", port=port) for port in ports)


def test_audiences_are_told_their_own_and_share_what_is_equal():
    made = resources(plan("catalog", 1), plan("orders", 3), audience=Audience(caller="web"))
    made.update(Audience(caller="cart"), [plan("catalog", 2), plan("orders", 3)])
    web, cart = made.of(View(caller="web")), made.of(View(caller="cart"))
    assert [x.get(EDS, "catalog").addresses for x in (web, cart)] == [{"127.0.0.1:1"}, {"127.0.0.1:2"}]
    assert all(web.get(type_, "orders") is cart.get(type_, "orders") for type_ in ALL)


def test_an_audience_without_plans_is_told_that_nobody_is_there():
    made = resources(plan("catalog", 1))
    assert made.of(View(caller="web")).get(EDS, "catalog").addresses == frozenset()
    assert made.audiences == {Audience()}


def test_audiences_that_are_not_kept_are_forgotten():
    made = resources(plan("catalog", 1))
    made.update(Audience(zone="b"), [plan("catalog", 2)])
    made.keep({Audience(zone="b"), Audience(zone="c")})
    assert made.audiences == {Audience(zone="b")}


def test_a_dialect_that_comes_later_is_told_everything():
    made = resources(Plan(service="catalog", clusters=(Cluster(name="catalog", balance=Balance.RING_HASH),)))
    made.update(Audience(), [plan("orders", 2)])
    rust = made.of(View(dialect=Dialect.RUST))
    assert list(rust.names(CDS)) == ["catalog", "orders"]
