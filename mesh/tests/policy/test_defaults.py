"""What holds where no entry says otherwise: for all services, for one, and for methods without a stream."""

import json

import pytest

from gossamer_mesh.model import Entries, Instance, Mesh, Outlier, Retry, RetryBudget, Service
from gossamer_mesh.policy import Contracts, plan
from gossamer_mesh.policy.defaults import OUTLIER, Defaults, defaults
from gossamer_mesh.policy.refusals import Refusals

GET, PUT, FEED = "/shop.Catalog/Get", "/shop.Catalog/Put", "/shop.Catalog/Feed"
CONTRACTS = Contracts(repeatable={"shop.Catalog": (GET, FEED)}, unary={"shop.Catalog": (GET, PUT)})
RETRY = Retry(on=("unavailable",), times=3)


def extras(**written):
    return {key.replace("__", "/"): json.dumps(value) for key, value in written.items()}


def read(service="catalog", **written):
    refusals = Refusals(service)
    found = defaults(Entries(extras=extras(**written)), service, refusals)
    return found, {refusal.subject: refusal.reason for refusal in refusals.found}


def routes(**written):
    """By path: how long, how often, how long once, and whether the kit does it."""
    instances = [Instance(id="1", host="10.0.0.1", port=1, contracts=("shop.Catalog",))]
    mesh = Mesh.of([Service.of("catalog", instances)], Entries(extras=extras(defaults=written)))
    planned = plan("catalog", mesh, CONTRACTS)
    assert planned.refusals == ()
    return {r.match.path: (r.timeout, r.retry, r.attempt_timeout, r.by_kit) for r in planned.plan.routes}


def test_unless_it_is_written_calls_are_retried_and_outliers_left_alone_and_nothing_times_out():
    assert read() == (Defaults(retry=RETRY, outlier=OUTLIER), {})
    assert (OUTLIER.minimum_hosts, OUTLIER.max_ejection_percent, OUTLIER.threshold) == (2, 50, 85)


def test_what_holds_for_a_service_stands_in_field_by_field():
    written = {
        "defaults": {"timeout": "2s", "retry": {"times": 1, "on": ["internal"]}, "outlier": False},
        "defaults__catalog": {"timeout": "1s500ms", "retry_budget": {"percent": 20}, "outlier": {"threshold": 60}},
        "defaults__orders": {"timeout": "9s"},
    }
    outlier = Outlier(threshold=60, max_ejection_percent=50, minimum_hosts=2, request_volume=10)
    own = Defaults(
        retry=Retry(on=("internal",), times=1),
        timeout=1.5,
        retry_budget=RetryBudget(percent=20, min_per_second=10),
        outlier=outlier,
    )
    assert read(**written) == (own, {})
    assert read("tax", **written)[0] == Defaults(retry=Retry(on=("internal",), times=1), timeout=2.0, outlier=None)


def test_what_holds_for_all_can_be_switched_off_for_one():
    every = {
        "retry": {"times": 1},
        "timeout": "2s",
        "attempt_timeout": "1s",
        "retry_budget": {"percent": 1},
        "zones": "prefer",
    }
    off = {
        "retry": False,
        "timeout": False,
        "attempt_timeout": False,
        "retry_budget": False,
        "outlier": False,
        "zones": "ignore",
    }
    assert read(defaults=every, defaults__catalog=off)[0] == Defaults(retry=None, outlier=None)


def test_a_default_timeout_is_for_methods_without_a_stream():
    """A stream may stay for ever, and gRPC's clients would end it."""
    assert routes(timeout="2s") == {
        GET: (2.0, RETRY, None, False),
        PUT: (2.0, None, None, False),
        FEED: (None, RETRY, None, False),
        "": (None, None, None, False),
    }


def test_a_retry_budget_has_kits_make_the_attempts_of_methods_without_a_stream():
    assert routes(retry_budget={"percent": 10}) == {
        GET: (None, RETRY, None, True),
        FEED: (None, RETRY, None, False),
        "": (None, None, None, False),
    }


def test_a_timeout_of_attempts_is_for_kits_also_where_nothing_is_retried():
    assert routes(attempt_timeout="100ms") == {
        GET: (None, RETRY, 0.1, True),
        PUT: (None, None, 0.1, True),
        FEED: (None, RETRY, None, False),
        "": (None, None, None, False),
    }


@pytest.mark.parametrize(
    ("written", "subject", "reason"),
    [
        ('{"timout": "1s"}', "defaults", 'must not contain {\'timout\'} properties, found {"timout": "1s"}'),
        (
            '{"timeout": "fast"}',
            "defaults timeout",
            "expected a duration, such as 1m30s, 250ms or 0.5s, more than none",
        ),
        ('{"timeout": "0s"}', "defaults timeout", 'or false, found "0s"'),
        ('{"timeout": "99999999h"}', "defaults timeout", 'found "99999999h"'),
        ('{"timeout": true}', "defaults timeout", "or false, found true"),
        ('{"retry_budget": {"percent": NaN}}', "defaults", "NaN is no number"),
        ('{"retry": {"times": 5}}', "defaults retry.times", "must be smaller than or equal to 4, found 5"),
        (
            '{"retry": true}',
            "defaults retry",
            "or false: not at all; without it, three times on unavailable, found true",
        ),
        ('{"zones": "all"}', "defaults zones", "must be one of ['ignore', 'prefer'], found \"all\""),
        ("[" * 100_000, "defaults", "expected JSON"),
        ("{", "defaults", "expected JSON"),
        ("[]", "defaults", "must be object, found []"),
    ],
)
def test_what_is_written_wrong_is_refused_by_its_field(written, subject, reason):
    refusals = Refusals("catalog")
    assert defaults(Entries(extras={"defaults": written}), "catalog", refusals) == Defaults()
    (refusal,) = refusals.found
    assert refusal.subject == f"gossamer/{subject}"
    assert reason in refusal.reason


def test_a_value_that_is_no_text_is_refused():
    refusals = Refusals("catalog")
    broken = Entries(broken_extras={"defaults/catalog": "expected UTF-8, found other bytes"})
    assert defaults(broken, "catalog", refusals) == Defaults()
    assert refusals.found == [("catalog", "gossamer/defaults/catalog", "expected UTF-8, found other bytes")]
