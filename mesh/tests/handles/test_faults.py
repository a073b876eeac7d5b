"""Faults by scope: which takes the place of which, in what order they stand, and which method is meant."""

import pytest

from gossamer_mesh.consul.writing import Found
from gossamer_mesh.handles import EntryOfOthers, Unfit, faults
from gossamer_mesh.handles.ownership import FLAGS, Change

NAME = "gossamer/faults/catalog"
ABORT, DELAY = {"abort": {"status": "UNAVAILABLE"}}, {"delay": {"duration": "1s"}}
KNOWN = ["shop.v1.Catalog/Get", "shop.v1.Catalog/List", "shop.v2.Catalog/List"]


def ours(*elements):
    return Found(list(elements), 5, FLAGS)


def written(fault, found=None, *, force=False):
    (change,) = faults.write("catalog", fault, found, force=force)
    return change.body


def test_the_first_fault_is_written_as_ours():
    assert faults.write("catalog", ABORT, None, force=False) == [Change(name=NAME, body=[ABORT], index=0, flags=FLAGS)]


def test_a_fault_takes_the_place_of_that_of_its_scope_and_the_others_stay():
    other = {"from": "orders", **DELAY}
    before = ours({"method": "a/b", **ABORT}, other)
    assert written({"method": "a/b", **DELAY}, before) == [other, {"method": "a/b", **DELAY}]


def test_a_fault_for_fewer_calls_stands_before_one_for_all_of_them():
    """Or it would never be done: the first that takes a call is."""
    wide, narrow = {"headers": {"a": "1"}, **ABORT}, {"headers": {"a": "1", "b": "2"}, **DELAY}
    assert written(narrow, ours({"from": "x", **ABORT}, wide)) == [{"from": "x", **ABORT}, narrow, wide]
    assert written(wide, ours(narrow)) == [narrow, wide]


def test_what_others_wrote_is_kept_as_theirs_and_changed_only_when_that_is_asked_for():
    theirs = Found([{"from": "x", **ABORT}], 5)
    with pytest.raises(EntryOfOthers, match=NAME):
        faults.write("catalog", ABORT, theirs, force=False)
    (change,) = faults.write("catalog", ABORT, theirs, force=True)
    assert change == Change(name=NAME, body=[{"from": "x", **ABORT}, ABORT], index=5, flags=0)


def test_what_is_no_list_is_replaced_only_when_that_is_asked_for():
    with pytest.raises(EntryOfOthers):
        written(ABORT, Found("{oops", 5, FLAGS))
    assert written(ABORT, Found("{oops", 5, FLAGS), force=True) == [ABORT]


def test_no_more_are_written_than_the_schema_allows():
    full = ours(*({"from": f"s{number}", **ABORT} for number in range(32)))
    assert len(written({"from": "s0", **DELAY}, full)) == 32
    with pytest.raises(Unfit, match="at most 32"):
        written(DELAY, full)


def test_all_are_taken_back_but_those_of_others():
    assert faults.clear("catalog", ours(ABORT), force=False) == [Change(name=NAME, index=5)]
    assert faults.clear("catalog", None, force=False) == []
    with pytest.raises(EntryOfOthers):
        faults.clear("catalog", Found([ABORT], 5), force=False)


@pytest.mark.parametrize("given", ["shop.v1.Catalog/Get", "/shop.v1.Catalog/Get", "Catalog/Get", "Get"])
def test_a_method_is_meant_by_how_its_name_ends(given):
    assert faults.method_of(given, KNOWN) == "shop.v1.Catalog/Get"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("List", "may be shop.v1.Catalog/List or shop.v2.Catalog/List"),
        ("Gett", r"did you mean shop.v1.Catalog/Get\?"),
        ("et", r"did you mean shop.v1.Catalog/Get\?"),
        ("zzz", "there are shop.v1.Catalog/Get, "),
    ],
)
def test_a_method_that_is_none_or_may_be_several_is_refused(given, said):
    with pytest.raises(Unfit, match=said):
        faults.method_of(given, KNOWN)


def test_of_unknown_contracts_any_full_name_will_do():
    assert faults.method_of("/a.B/C", []) == "a.B/C"
    with pytest.raises(Unfit, match=r"package\.Service/Method"):
        faults.method_of("C", [])
