"""What the routes of a plan look like as xDS, word by word."""

import pytest

from gossamer_mesh.model import (
    Abort,
    Audience,
    Cluster,
    Delay,
    Fault,
    Header,
    HeaderIs,
    Match,
    PathIs,
    Plan,
    Retry,
    Route,
    Share,
)
from gossamer_mesh.xds import Dialect, Resources, View

from .conversation import RDS
from .reading import shown, told

TO = (Share(cluster="catalog"),)
ACTION = {"cluster": "catalog"}


def routes(*planned, dialect=Dialect.OTHER):
    plan = Plan(service="catalog", routes=planned, clusters=(Cluster(name="catalog"),))
    (host,) = shown(told(plan, dialect=dialect).get(RDS, "catalog"))["virtualHosts"]
    return host["routes"]


def action(dialect=Dialect.OTHER, **planned):
    (route,) = routes(Route(**{"to": TO, **planned}), dialect=dialect)
    return route["route"]


def test_a_plan_without_routes_sends_everything_to_the_cluster_of_the_services_name():
    assert routes() == [{"match": {"prefix": ""}, "route": ACTION}]


def test_routes_are_for_every_authority_and_in_their_order():
    first = Route(match=Match(is_=PathIs.EXACT, path="/shop.Catalog/Get"), to=TO)
    plan = Plan(service="catalog", routes=(first, Route(to=TO)), clusters=(Cluster(name="catalog"),))
    assert shown(told(plan).get(RDS, "catalog")) == {
        "name": "catalog",
        "virtualHosts": [
            {
                "name": "catalog",
                "domains": ["*"],
                "routes": [
                    {"match": {"path": "/shop.Catalog/Get"}, "route": ACTION},
                    {"match": {"prefix": ""}, "route": ACTION},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        (PathIs.EXACT, "/shop.Catalog/Get", {"path": "/shop.Catalog/Get"}),
        (PathIs.PREFIX, "/shop.Catalog/", {"prefix": "/shop.Catalog/"}),
        (PathIs.REGEX, "/shop.Catalog/(Get|List)", {"safeRegex": {"regex": "/shop.Catalog/(Get|List)"}}),
    ],
)
def test_a_path_is_matched(kind, path, expected):
    assert routes(Route(match=Match(is_=kind, path=path), to=TO)) == [{"match": expected, "route": ACTION}]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (HeaderIs.EXACT, {"stringMatch": {"exact": "v"}}),
        (HeaderIs.PREFIX, {"stringMatch": {"prefix": "v"}}),
        (HeaderIs.SUFFIX, {"stringMatch": {"suffix": "v"}}),
        (HeaderIs.CONTAINS, {"stringMatch": {"contains": "v"}}),
        (HeaderIs.REGEX, {"safeRegexMatch": {"regex": "v"}}),
        (HeaderIs.PRESENT, {"presentMatch": True}),
    ],
)
def test_a_header_is_matched_and_the_other_way_round(kind, expected):
    value = "" if kind is HeaderIs.PRESENT else "v"
    headers = tuple(Header(name="x-user", is_=kind, value=value, invert=invert) for invert in (False, True))
    (route,) = routes(Route(match=Match(headers=headers), to=TO))
    assert route["match"]["headers"] == [
        {"name": "x-user", **expected},
        {"name": "x-user", **expected, "invertMatch": True},
    ]


def test_several_shares_are_weighed():
    shares = (Share(cluster="catalog", weight=9_000), Share(cluster="catalog/v2", weight=1_000))
    assert action(to=shares) == {
        "weightedClusters": {
            "clusters": [{"name": "catalog", "weight": 9000}, {"name": "catalog/v2", "weight": 1000}],
            "totalWeight": 10000,
        }
    }


def test_a_timeout_is_the_longest_that_a_stream_may_take():
    assert action(timeout=1.5) == {**ACTION, "maxStreamDuration": {"maxStreamDuration": "1.500s"}}


@pytest.mark.parametrize("dialect", [Dialect.GO, Dialect.JAVA, Dialect.NODE, Dialect.RUST])
def test_others_are_told_timeouts(dialect):
    assert action(dialect, timeout=1.5, retry=Retry(on=("unavailable",), times=1))["maxStreamDuration"]


def test_clients_of_the_core_are_told_no_timeout():
    """xds.md 7.3 item 1: they fire up to two seconds early."""
    assert action(Dialect.C_CORE, timeout=1.5) == ACTION


def test_envoy_is_told_when_to_give_up_since_it_would_after_15_seconds():
    assert action(Dialect.ENVOY) == {**ACTION, "timeout": "0s"}
    assert action(Dialect.ENVOY, timeout=20) == {
        **ACTION,
        "timeout": "20s",
        "maxStreamDuration": {"maxStreamDuration": "20s"},
    }


def test_retries_have_their_conditions_without_blanks():
    retry = Retry(on=("internal", "unavailable"), times=4)
    assert action(retry=retry) == {
        **ACTION,
        "retryPolicy": {"retryOn": "internal,unavailable", "numRetries": 4},
    }


def test_rust_retries_what_others_do_and_nothing_else():
    """It also calls endpoints that refuse (xds.md 7.4); but what may not be called again is never called again."""
    assert action(Dialect.RUST) == ACTION
    planned = Retry(on=("internal",), times=1)
    assert action(Dialect.RUST, retry=planned)["retryPolicy"] == {"retryOn": "internal", "numRetries": 1}


def test_where_a_kit_makes_the_attempts_its_library_makes_one_and_other_libraries_retry():
    retry = Retry(on=("unavailable",), times=3)
    planned = Plan(
        service="catalog",
        routes=(
            Route(match=Match(path="/a.B/"), to=TO, retry=retry, attempt_timeout=0.1, by_kit=True),
            Route(to=TO, retry=retry),
        ),
        clusters=(Cluster(name="catalog"),),
    )
    made = Resources(boot="boot")
    made.update(Audience(), [planned])
    views = [View(dialect=Dialect.GO, by_kit=by_kit) for by_kit in (True, False)]
    found = [shown(made.of(view).get(RDS, "catalog"))["virtualHosts"][0]["routes"] for view in views]
    assert [["retryPolicy" in route["route"] for route in routes] for routes in found] == [[False, True], [True, True]]


def test_the_headers_that_a_ring_hashes():
    assert action(hash_on=("x-user", "x-cart")) == {
        **ACTION,
        "hashPolicy": [{"header": {"headerName": "x-user"}}, {"header": {"headerName": "x-cart"}}],
    }


def test_a_fault_is_told_to_the_filter_by_its_route():
    fault = Fault(delay=Delay(seconds=0.3, percent=0.01), abort=Abort(status=14, percent=50))
    (route,) = routes(Route(to=TO, fault=fault))
    assert route["typedPerFilterConfig"] == {
        "envoy.filters.http.fault": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"fixedDelay": "0.300s", "percentage": {"numerator": 100, "denominator": "MILLION"}},
            "abort": {"grpcStatus": 14, "percentage": {"numerator": 500000, "denominator": "MILLION"}},
        }
    }


def test_rust_is_told_no_fault():
    (route,) = routes(Route(to=TO, fault=Fault(abort=Abort(status=14))), dialect=Dialect.RUST)
    assert "typedPerFilterConfig" not in route
