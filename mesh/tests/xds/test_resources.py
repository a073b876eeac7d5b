"""How plans become sets of resources: the same bytes for the same plan, spelled once, nothing ever taken back."""

from dataclasses import replace

from gossamer_mesh.model import Audience, Cluster, Endpoint, Plan
from gossamer_mesh.xds import Resources, View

from .conversation import CDS, EDS, LDS, RDS, plan
from .reading import message

ALL = (LDS, RDS, CDS, EDS)
WRONG = Plan(
    service="catalog",
    clusters=(Cluster(name="catalog", levels=((Endpoint(host="catalog.local", port=1),),)),),
)


class Telling(Resources):
    """For one audience."""

    def __init__(self):
        super().__init__(boot="boot")

    def tell(self, *plans):
        self.illegal = self.update(Audience(), plans)
        return self.of(View())


def endpoint(port):
    return Endpoint(host="127.0.0.1", port=port, zone="a")


def test_every_resource_has_the_name_of_its_service_or_cluster():
    subset = Cluster(name="catalog/v2", levels=((endpoint(2),),))
    told = Telling().tell(replace(plan("catalog", 1), clusters=(*plan("catalog", 1).clusters, subset)))
    assert [list(told.names(type_)) for type_ in (LDS, RDS)] == [["catalog"]] * 2
    assert [list(told.names(type_)) for type_ in (CDS, EDS)] == [["catalog", "catalog/v2"]] * 2
    assert [message(told.get(type_, "catalog")).name for type_ in (LDS, RDS, CDS)] == ["catalog"] * 3
    assert message(told.get(EDS, "catalog/v2")).cluster_name == "catalog/v2"


def test_equal_plans_give_equal_bytes():
    first, second = (Telling().tell(plan("catalog", 1, 2, retried=["/a/b", "/a/c"])) for _ in range(2))
    for type_ in ALL:
        assert first.get(type_, "catalog").wire == second.get(type_, "catalog").wire


def test_what_did_not_change_is_not_spelled_again():
    resources = Telling()
    before = resources.tell(plan("catalog", 1), plan("orders", 2))
    after = resources.tell(plan("catalog", 1), plan("orders", 3))
    assert after.get(EDS, "catalog") is before.get(EDS, "catalog")
    assert after.get(CDS, "orders") is before.get(CDS, "orders")
    assert not after.get(EDS, "orders").same(before.get(EDS, "orders"))


def test_when_nothing_changed_it_is_the_same_set():
    resources = Telling()
    before = resources.tell(plan("catalog", 1))
    assert resources.tell(plan("catalog", 1)) is before


def test_only_the_version_of_a_changed_type_moves():
    resources = Telling()
    before = resources.tell(plan("catalog", 1))
    after = resources.tell(plan("catalog", 2))
    assert before.versions == {LDS: "boot-1", RDS: "boot-1", CDS: "boot-1", EDS: "boot-1"}
    assert after.versions == {**before.versions, EDS: "boot-2"}


def test_a_set_does_not_change_after_it_was_made():
    resources = Telling()
    before = resources.tell(plan("catalog", 1))
    held = before.get(EDS, "catalog")
    resources.tell(plan("catalog", 2), plan("orders", 3))
    assert before.get(EDS, "catalog") is held
    assert list(before.names(EDS)) == ["catalog"]


def test_a_name_that_no_plan_has_any_more_is_kept():
    resources = Telling()
    before = resources.tell(plan("catalog", 1))
    assert resources.tell().get(LDS, "catalog") is before.get(LDS, "catalog")


def test_a_cluster_that_its_plan_no_longer_has_is_kept():
    """A client may still follow routes that lead to it: taken away, or emptied, its calls would fail."""
    resources = Telling()
    own, subset = plan("catalog", 1), Cluster(name="catalog/v2", levels=((endpoint(2),),))
    before = resources.tell(replace(own, clusters=(*own.clusters, subset)))
    after = resources.tell(own)
    assert [after.get(type_, "catalog/v2") is before.get(type_, "catalog/v2") for type_ in (CDS, EDS)] == [True] * 2


def test_of_a_cluster_in_several_plans_that_of_its_own_service_is_told_whatever_the_order():
    own, other = plan("catalog", 1), replace(plan("web", 9), clusters=plan("catalog", 2).clusters)
    for order in ((own, other), (other, own)):
        resources = Telling()
        for each in order:
            told = resources.tell(each)
        assert told.get(EDS, "catalog").addresses == {"127.0.0.1:1"}


def test_of_a_cluster_of_other_services_the_first_by_name_that_has_it_is_told():
    resources = Telling()
    a, b = (replace(plan(name, 9), clusters=plan("catalog", port).clusters) for name, port in (("a", 1), ("b", 2)))
    assert resources.tell(b).get(EDS, "catalog").addresses == {"127.0.0.1:2"}
    assert resources.tell(a).get(EDS, "catalog").addresses == {"127.0.0.1:1"}
    assert resources.tell(replace(a, clusters=())).get(EDS, "catalog").addresses == {"127.0.0.1:2"}


def test_an_unknown_name_gets_the_resources_of_a_service_without_instances():
    unknown, empty = Telling().tell(), Telling().tell(plan("later"))
    for type_ in ALL:
        assert unknown.get(type_, "later").same(empty.get(type_, "later"))
    assert list(unknown.names(LDS)) == []


def test_a_name_that_no_resource_can_have_gets_none():
    assert [Telling().tell().get(type_, "") for type_ in ALL] == [None] * 4


def test_unknown_names_cost_nothing_when_nobody_holds_them():
    told = Telling().tell()
    held = told.get(LDS, "held")
    for number in range(100):
        told.get(LDS, f"dropped-{number}")
    assert told.get(LDS, "held") is held
    assert len(told.unknown) == 1


def test_what_some_client_would_refuse_is_left_out_and_all_of_the_plan_before_stays():
    resources = Telling()
    before = resources.tell(plan("catalog", 1))
    after = resources.tell(WRONG)
    assert resources.illegal == ("ClusterLoadAssignment 'catalog': a host name where an IP address is expected",)
    assert after is before
    resources.tell(WRONG)
    assert resources.illegal == ()


def test_what_is_left_out_is_said_again_when_it_comes_again():
    resources = Telling()
    for each in (WRONG, plan("catalog", 1), WRONG):
        resources.tell(each)
    assert len(resources.illegal) == 1


def test_another_service_is_told_although_one_is_left_out():
    assert Telling().tell(WRONG, plan("orders", 2)).get(EDS, "orders").addresses == {"127.0.0.1:2"}
