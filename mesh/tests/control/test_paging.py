"""Pages of a list: each item once and in order, however many a page has and whatever comes and goes meanwhile."""

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from gossamer_mesh.control import paging
from gossamer_mesh.control.paging import PageTokenError, page


def pages(keys, *, size):
    """All pages, each as the keys it shows."""
    token, found = "", []
    while True:
        shown, token = page([(key, key) for key in keys], show, size=size, token=token)
        found.append([each.value for each in shown])
        if not token:
            return found


def show(key):
    return StringValue(value=key)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, [["a", "b", "c", "d"]]),
        (2, [["a", "b"], ["c", "d"]]),
        (3, [["a", "b", "c"], ["d"]]),
        (4, [["a", "b", "c", "d"]]),
    ],
)
def test_every_item_is_on_one_page(size, expected):
    assert pages("abcd", size=size) == expected


def test_nothing_is_one_empty_page():
    assert pages("", size=2) == [[]]


def test_a_page_has_a_thousand_items_if_not_asked_for_fewer():
    assert [len(found) for found in pages([f"{n:04}" for n in range(2500)], size=0)] == [1000, 1000, 500]


def test_a_page_holds_no_more_than_can_be_sent_and_at_least_one_item(monkeypatch):
    monkeypatch.setattr(paging, "BYTES", 200)
    large, small = "b" * 300, "a" * 50
    assert pages([small, large, "c"], size=0) == [[small], [large], ["c"]]


def test_what_goes_and_comes_between_two_pages_moves_nothing_else():
    _, token = page([(key, key) for key in "acde"], show, size=2, token="")
    shown, _ = page([(key, key) for key in "abde"], show, size=2, token=token)
    assert [each.value for each in shown] == ["d", "e"]


def test_a_key_may_be_any_text():
    assert pages(["", "\N{SNOWMAN}", "\N{SNOWMAN}/ +"], size=1) == [[""], ["\N{SNOWMAN}"], ["\N{SNOWMAN}/ +"]]


@pytest.mark.parametrize("token", ["a", "!!!!", "_w==", "YWJj", "\N{SNOWMAN}"])
def test_a_token_that_no_page_gave_is_refused(token):
    with pytest.raises(PageTokenError):
        page([("a", "a")], show, size=0, token=token)
