"""What routes are in words."""

import pytest

from gossamer_mesh.model import (
    Abort,
    Delay,
    Fault,
    Header,
    HeaderIs,
    Match,
    PathIs,
    Plan,
    Retry,
    RetryBudget,
    Route,
    Share,
)
from gossamer_mesh.policy.words import summaries

GET = "/shop.catalog.v1.CatalogService/GetProduct"
TO = (Share(cluster="catalog"),)


def summary(budget=None, **route):
    (found,) = summaries(Plan(service="catalog", routes=(Route(**{"to": TO, **route}),), retry_budget=budget))
    return found


def header(is_=HeaderIs.EXACT, value="gold", **more):
    return Header(name="x-tier", is_=is_, value=value, **more)


def test_a_route_is_a_sentence():
    assert summary(
        match=Match(is_=PathIs.EXACT, path=GET, headers=(header(),)),
        to=(Share(cluster="catalog/v1", weight=9000), Share(cluster="catalog/v2", weight=1000)),
        timeout=2.0,
        retry=Retry(on=("unavailable",), times=3),
    ) == (
        "calls of shop.catalog.v1.CatalogService/GetProduct with x-tier = gold "
        "go 90 % to v1 and 10 % to v2 of catalog; at most 2 s; UNAVAILABLE is tried again up to 3 times"
    )


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match(), "all calls"),
        (Match(headers=(header(),)), "calls with x-tier = gold"),
        (Match(path="/shop.Catalog/"), "calls of shop.Catalog"),
        (Match(path="/shop.Catalog/Get"), "calls of methods that begin with shop.Catalog/Get"),
        (Match(path="/shop."), "calls of contracts that begin with shop."),
        (Match(is_=PathIs.REGEX, path="/shop.*"), "calls whose path matches /shop.*"),
    ],
)
def test_which_calls(match, words):
    assert summary(match=match) == f"{words} go to catalog"


def test_what_others_leave_is_other_calls():
    _, some, rest = summaries(
        Plan(
            service="catalog",
            routes=(
                Route(match=Match(is_=PathIs.EXACT, path=GET), to=TO),
                Route(match=Match(headers=(header(),)), to=TO),
                Route(to=TO),
            ),
        )
    )
    assert some == "other calls with x-tier = gold go to catalog"
    assert rest == "all other calls go to catalog"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([header(invert=True)], "x-tier != gold"),
        ([header(HeaderIs.PREFIX, "g")], "x-tier beginning with g"),
        ([header(HeaderIs.SUFFIX, "d")], "x-tier ending with d"),
        ([header(HeaderIs.CONTAINS, "o", invert=True)], "x-tier not containing o"),
        ([header(HeaderIs.REGEX, "g.*")], "x-tier matching g.*"),
        ([header(HeaderIs.PRESENT, "")], "any x-tier"),
        ([header(HeaderIs.PRESENT, "", invert=True)], "no x-tier"),
        (
            [header(), header(HeaderIs.REGEX, "a"), header(HeaderIs.REGEX, "b")],
            "x-tier = gold, x-tier matching a and x-tier matching b",
        ),
    ],
)
def test_with_which_metadata(headers, words):
    assert summary(match=Match(headers=tuple(headers))) == f"calls with {words} go to catalog"


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"catalog/v2": 10_000}, "to v2 of catalog"),
        ({"catalog/v1": 9_999, "catalog/v2": 1}, "99.99 % to v1 and 0.01 % to v2 of catalog"),
        ({"catalog": 5_000, "catalog/v2": 5_000}, "50 % to catalog and 50 % to v2 of catalog"),
        ({"catalog/v1": 2_000, "search": 3_000, "tax": 5_000}, "20 % to v1 of catalog, 30 % to search and 50 % to tax"),
    ],
)
def test_where_they_go(shares, words):
    to = tuple(Share(cluster=cluster, weight=weight) for cluster, weight in shares.items())
    assert summary(to=to) == f"all calls go {words}"


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"hash_on": ("x-user", "x-cart")}, "those with the same x-user and x-cart go to the same instance"),
        ({"fault": Fault(abort=Abort(status=14, percent=10))}, "10 % fail with UNAVAILABLE on purpose"),
        ({"fault": Fault(delay=Delay(seconds=0.3, percent=12.5))}, "12.5 % are held up for 0.3 s on purpose"),
        (
            {"retry": Retry(on=("deadline-exceeded", "internal"), times=1)},
            "DEADLINE_EXCEEDED and INTERNAL are tried again once",
        ),
        ({"attempt_timeout": 0.5, "by_kit": True}, "at most 0.5 s an attempt"),
    ],
)
def test_what_is_done_to_them(route, words):
    assert summary(**route) == f"all calls go to catalog; {words}"


def test_a_budget_is_told_where_kits_keep_it():
    budget, retry = RetryBudget(percent=20), Retry(on=("unavailable",), times=2)
    words = "all calls go to catalog; UNAVAILABLE is tried again up to 2 times"
    assert summary(budget, retry=retry) == words
    assert summary(budget, retry=retry, by_kit=True) == f"{words}, within a budget of 20 % of the calls and 10 a second"
