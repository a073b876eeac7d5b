"""What counts as a difference."""

from gossamer_mesh.model.difference import differ


def test_what_is_new_other_or_gone_differs_and_what_is_equal_does_not():
    before = {"same": [1], "other": [1], "gone": [1]}
    assert differ(before, {"same": [1], "other": [2], "new": [1]}) == {"other", "gone", "new"}
