"""Which of a plan's routes a kit has to know."""

import pytest

from gossamer_mesh.model import Header, HeaderIs, Match, PathIs, Retry, Route, Share
from gossamer_mesh.policy.call_rules import call_rules

GOLD = Header(name="x-tier", is_=HeaderIs.EXACT, value="gold")


def route(path="", *headers, is_=PathIs.PREFIX, **more):
    return Route(match=Match(is_=is_, path=path, headers=headers), to=(Share(cluster="catalog"),), **more)


def exact(path, *headers, **more):
    return route(path, *headers, is_=PathIs.EXACT, **more)


def test_routes_that_ask_for_nothing_make_no_rules():
    assert call_rules([exact("/a.B/C"), route()]) == ()


def test_a_route_that_asks_for_nothing_is_a_rule_where_it_takes_calls_from_one_that_does():
    first, second, last = exact("/a.B/C"), route("/a.B/", timeout=1), route()
    assert call_rules([first, second, last]) == (first, second)


@pytest.mark.parametrize(
    "first",
    [exact("/a.B/C"), route("/a.B/"), route("/a.B/C"), route("/a.B/CD"), route(), route(".*", is_=PathIs.REGEX)],
)
@pytest.mark.parametrize("second", [exact("/a.B/C", timeout=1), route("/a.B/C", timeout=1)])
def test_a_route_that_asks_for_nothing_is_a_rule_only_where_calls_may_be_taken_by_both(first, second):
    apart = first.match.path == "/a.B/CD" and second.match.is_ is PathIs.EXACT
    assert call_rules([first, second]) == ((second,) if apart else (first, second))


def test_methods_that_ask_for_nothing_are_no_rules_beside_others():
    asking = exact("/a.B/C", timeout=1)
    assert call_rules([exact("/a.B/A"), asking, exact("/a.B/D"), route()]) == (asking,)


def test_what_only_a_kit_does_is_a_rule_where_a_kit_is_to_do_it():
    retry = Retry(on=("unavailable",), times=1)
    by_kit = exact("/a.B/D", retry=retry, by_kit=True)
    assert call_rules([exact("/a.B/C", retry=retry), by_kit, route()]) == (by_kit,)


def test_a_route_before_one_that_asks_for_the_same_and_takes_its_calls_is_no_rule():
    last = route(timeout=1)
    assert call_rules([exact("/a.B/C", timeout=1), route("/a.B/", GOLD, timeout=1), last]) == (last,)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (route("/a.B/", timeout=1), exact("/a.B/C", timeout=1)),
        (exact("/a.B/C", timeout=1), exact("/a.B/C", GOLD, timeout=1)),
        (exact("/a.B/C", timeout=1), route("/a.*", is_=PathIs.REGEX, timeout=1)),
        (route("/a.*", is_=PathIs.REGEX, timeout=1), route("/a", timeout=1)),
    ],
)
def test_a_route_before_one_that_may_not_take_all_its_calls_is_a_rule(first, second):
    assert call_rules([first, second]) == (first, second)
