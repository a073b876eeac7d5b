"""Bad defaults for all are left out, and told; the last good ones stay until there are others, or none."""

from gossamer_mesh.model import Entries
from gossamer_mesh.policy.good_defaults import GoodDefaults

GOOD, BAD, OTHER = '{"timeout": "1s"}', "{oops", "[]"


def read(reader, **extras):
    return reader.read(Entries(extras=extras)).extras


def test_good_ones_are_left_as_they_are():
    entries = Entries(extras={"defaults": GOOD, "faults/catalog": OTHER})
    assert GoodDefaults().read(entries) is entries


def test_bad_ones_leave_the_last_good_ones_in_place_and_say_why():
    defaults = GoodDefaults()
    read(defaults, defaults=GOOD)
    assert read(defaults, **{"defaults": BAD, "faults/catalog": OTHER}) == {"defaults": GOOD, "faults/catalog": OTHER}
    (refusal,) = defaults.refusals
    assert (refusal.service, refusal.subject) == ("", "gossamer/defaults")


def test_bad_ones_that_are_the_first_are_none():
    assert read(GoodDefaults(), defaults=BAD) == {}


def test_a_value_that_is_no_text_is_a_bad_one():
    defaults = GoodDefaults()
    read(defaults, defaults=GOOD)
    entries = defaults.read(Entries(broken_extras={"defaults": "expected UTF-8, found other bytes"}))
    assert (entries.extras, entries.broken_extras) == ({"defaults": GOOD}, {})


def test_those_that_are_deleted_are_gone():
    defaults = GoodDefaults()
    read(defaults, defaults=GOOD)
    read(defaults, defaults=BAD)
    assert read(defaults) == {}
    assert defaults.refusals == frozenset()
    assert read(defaults, defaults=BAD) == {}
