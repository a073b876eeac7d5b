"""A split over versions: the splitter and the subsets that are written for it, and taken back."""

import pytest

from gossamer_mesh.consul.writing import Found
from gossamer_mesh.handles import EntryOfOthers, Unfit, splits
from gossamer_mesh.handles.ownership import Change
from gossamer_mesh.model import Health, Instance, Service

RESOLVER, SPLITTER = "service-resolver/catalog", "service-splitter/catalog"
NOTHING = {RESOLVER: None, SPLITTER: None}
OURS = {"written-by": "gossamer split"}


def filtered(version):
    return {"Filter": f'Service.Meta.version == "{version}"'}


def shares(**weights):
    return splits.shares(weights.items())


def written(found=NOTHING, *, force=False, **weights):
    """What is written, by name."""
    return {change.name: change.body for change in splits.write("catalog", shares(**weights), found, force=force)}


def found(index, **body):
    return Found({"Kind": "k", "Name": "catalog", "CreateIndex": 1, "ModifyIndex": index, "Hash": 7, **body}, index)


def test_each_version_gets_a_subset_and_the_resolver_comes_first():
    changes = splits.write("catalog", shares(v1=90, v2=10), NOTHING, force=False)
    marks = {"written-by": "gossamer split", "subset-v1": "gossamer split", "subset-v2": "gossamer split"}
    assert changes == [
        Change(name=RESOLVER, body={"Subsets": {"v1": filtered("v1"), "v2": filtered("v2")}, "Meta": marks}),
        Change(
            name=SPLITTER,
            body={
                "Splits": [{"Weight": 90, "ServiceSubset": "v1"}, {"Weight": 10, "ServiceSubset": "v2"}],
                "Meta": OURS,
            },
        ),
    ]


def test_subsets_that_are_there_are_taken_by_name_and_by_filter():
    resolver = found(5, Subsets={"stable": {"Filter": "Service.Meta.lane == a"}, "next": filtered("v2")})
    body = written({RESOLVER: resolver, SPLITTER: None}, stable=99.99, v2=0.01)
    assert body == {
        SPLITTER: {
            "Splits": [{"Weight": 99.99, "ServiceSubset": "stable"}, {"Weight": 0.01, "ServiceSubset": "next"}],
            "Meta": OURS,
        }
    }


def test_a_subset_is_added_to_what_others_wrote_only_when_that_is_asked_for():
    resolver = found(5, ConnectTimeout="3s", Subsets={"v1": filtered("v1")}, Meta={"team": "a"})
    entries = {RESOLVER: resolver, SPLITTER: found(6, Splits=[])}
    with pytest.raises(EntryOfOthers, match=f"{RESOLVER} and {SPLITTER} were written by others.*--force") as refused:
        written(entries, v1=50, v2=50)
    assert refused.value.names == (RESOLVER, SPLITTER)
    body = written(entries, v1=50, v2=50, force=True)[RESOLVER]
    assert body == {
        "Kind": "k",
        "Name": "catalog",
        "ConnectTimeout": "3s",
        "Subsets": {"v1": filtered("v1"), "v2": filtered("v2")},
        "Meta": {"team": "a", "subset-v2": "gossamer split"},
    }


@pytest.mark.parametrize(
    ("version", "subset"),
    [("1.4.2", "1-4-2"), ("V2", "v2"), ("-", "version"), ("a" * 80, "a" * 63), ("ä.b", "b")],
)
def test_a_version_that_is_no_dns_label_gets_a_subset_that_is_one(version, subset):
    (resolver, _) = splits.write("catalog", splits.shares([(version, 100)]), NOTHING, force=False)
    assert list(resolver.body["Subsets"].values()) == [filtered(version)]
    assert list(resolver.body["Subsets"]) == [subset]


def test_two_versions_that_spell_the_same_label_get_a_subset_each():
    chosen = splits.subsets_of(splits.shares([("1.2", 50), ("1-2", 30), ("1_2", 20)]), None)
    assert chosen == {"1.2": "1-2", "1-2": "1-2-2", "1_2": "1-2-3"}


def test_one_subset_can_t_be_named_twice():
    resolver = found(5, Subsets={"blue": filtered("v1")})
    with pytest.raises(Unfit, match="v1 is the subset blue as well"):
        splits.subsets_of(splits.shares([("blue", 50), ("v1", 50)]), resolver)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([("v1", 90), ("v2", 9.99)], "add up to 100, found 99.99"),
        ([("v1", 99.995), ("v2", 0.005)], "steps of 0.01, found v1=99.995"),
        ([("v1", 50), ("v1", 50)], "each version once, found v1 twice"),
        ([("v1", -1), ("v2", 101)], None),
    ],
)
def test_weights_that_are_none_are_refused(weights, said):
    if said is None:
        assert [share.weight for share in splits.shares(weights)] == [-100, 10100]  # the contract refuses these
        return
    with pytest.raises(Unfit, match=said):
        splits.shares(weights)


def test_a_split_is_taken_back_with_its_subsets_the_splitter_first():
    marks = {**OURS, "subset-v1": "gossamer split"}
    entries = {
        RESOLVER: found(5, Subsets={"v1": filtered("v1")}, Meta=marks),
        SPLITTER: found(6, Splits=[], Meta=OURS),
    }
    assert splits.clear("catalog", entries, force=False) == [
        Change(name=SPLITTER, index=6),
        Change(name=RESOLVER, index=5),
    ]


def test_what_others_added_to_a_resolver_stays():
    marks = {**OURS, "subset-v1": "gossamer split", "team": "a"}
    subsets = {"v1": filtered("v1"), "v9": filtered("v9")}
    entries = {RESOLVER: found(5, Subsets=subsets, Meta=marks), SPLITTER: None}
    assert splits.clear("catalog", entries, force=False) == [
        Change(
            name=RESOLVER,
            body={"Kind": "k", "Name": "catalog", "Subsets": {"v9": filtered("v9")}, "Meta": {"team": "a"}},
            index=5,
        )
    ]


def test_the_resolver_of_others_is_as_it_was_before():
    before = found(5, ConnectTimeout="3s", Subsets={"v1": filtered("v1")}, Meta={"team": "a"})
    added = written({RESOLVER: before, SPLITTER: None}, v1=50, v2=50, force=True)[RESOLVER]
    (change,) = splits.clear("catalog", {RESOLVER: Found(added, 9), SPLITTER: None}, force=False)
    assert change.body == {key: before.body[key] for key in ("Kind", "Name", "ConnectTimeout", "Subsets", "Meta")}


def test_the_split_of_others_is_removed_only_when_that_is_asked_for():
    entries = {RESOLVER: found(5, Subsets={}), SPLITTER: found(6, Splits=[])}
    with pytest.raises(EntryOfOthers):
        splits.clear("catalog", entries, force=False)
    assert splits.clear("catalog", entries, force=True) == [Change(name=SPLITTER, index=6)]


def test_without_a_split_nothing_is_removed():
    assert splits.clear("catalog", NOTHING, force=False) == []


def instances(**versions):
    made = (
        Instance(id=id_, host="10.0.0.1", port=1, version=version, health=health)
        for id_, (version, health) in versions.items()
    )
    return Service.of("catalog", made)


def test_shares_that_nobody_would_answer_are_found():
    service = instances(a=("v1", Health.PASSING), b=("v2", Health.CRITICAL))
    silent = splits.not_called(service, shares(v1=60, v2=40, v3=0), None, {})
    assert [share.version for share in silent] == ["v2"]


def test_a_subset_of_people_is_asked_by_its_filter_where_that_was_tried():
    service = instances(a=("v1", Health.PASSING))
    resolver = found(5, Subsets={"x": {"Filter": "tried"}, "y": {"Filter": "untried"}, "z": {"OnlyPassing": True}})
    silent = splits.not_called(service, shares(x=30, y=30, z=40), resolver, {("catalog", "tried"): frozenset("b")})
    assert [share.version for share in silent] == ["x"]
