"""How far back the most is remembered."""

from gossamer_mesh.discovery.peak import Peak


def test_the_most_within_the_window_counts_also_if_it_began_before():
    peak = Peak(window=3)
    peak.note(0, 6)
    peak.note(2, 4)
    assert peak.most(4) == 6


def test_what_ended_before_the_window_is_forgotten():
    peak = Peak(window=3)
    peak.note(0, 6)
    peak.note(2, 4)
    assert peak.most(5) == 4


def test_there_is_nothing_before_the_first_note():
    assert Peak(window=3).most(1) == 0
