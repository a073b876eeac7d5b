"""What a cluster looks like as xDS, word by word."""

import pytest

from gossamer_mesh.model import Balance, Cluster, Outlier, Plan
from gossamer_mesh.xds import Dialect

from .conversation import CDS
from .reading import shown, told

PLAIN = {
    "name": "catalog",
    "type": "EDS",
    "edsClusterConfig": {"edsConfig": {"ads": {}, "resourceApiVersion": "V3"}},
    "connectTimeout": "5s",
}

RING = {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": "16", "maximumRingSize": "32"}}

POLICIES = "type.googleapis.com/envoy.extensions.load_balancing_policies"

LEAST_REQUEST = {
    "loadBalancingPolicy": {
        "policies": [
            {
                "typedExtensionConfig": {
                    "name": "envoy.load_balancing_policies.least_request",
                    "typedConfig": {"@type": f"{POLICIES}.least_request.v3.LeastRequest", "choiceCount": 3},
                }
            },
            {
                "typedExtensionConfig": {
                    "name": "envoy.load_balancing_policies.round_robin",
                    "typedConfig": {"@type": f"{POLICIES}.round_robin.v3.RoundRobin"},
                }
            },
        ]
    }
}


def cluster(dialect=Dialect.OTHER, **planned):
    plan = Plan(service="catalog", clusters=(Cluster(name="catalog", **planned),))
    return shown(told(plan, dialect=dialect).get(CDS, "catalog"))


def test_a_cluster_takes_its_endpoints_from_ads():
    assert cluster() == PLAIN


def test_a_connection_may_take_so_long():
    assert cluster(connect_timeout=0.25) == {**PLAIN, "connectTimeout": "0.250s"}


@pytest.mark.parametrize("dialect", [each for each in Dialect if each not in {Dialect.RUST, Dialect.ENVOY}])
def test_a_ring(dialect):
    assert cluster(dialect, balance=Balance.RING_HASH, ring_size=(16, 32)) == {**PLAIN, **RING}


@pytest.mark.parametrize("dialect", [Dialect.GO, Dialect.JAVA, Dialect.OTHER])
def test_least_request_is_asked_for_by_a_list_that_ends_with_what_all_know(dialect):
    """xds.md 4.3: each of the two other ways is refused by some language."""
    assert cluster(dialect, balance=Balance.LEAST_REQUEST, choices=3) == {**PLAIN, **LEAST_REQUEST}


@pytest.mark.parametrize("dialect", [Dialect.C_CORE, Dialect.NODE, Dialect.RUST])
def test_where_least_request_is_not_there_it_is_not_asked_for(dialect):
    assert cluster(dialect, balance=Balance.LEAST_REQUEST) == PLAIN


def test_a_limit_comes_with_load_reports_without_which_java_limits_nothing():
    assert cluster(max_requests=2) == {
        **PLAIN,
        "circuitBreakers": {"thresholds": [{"maxRequests": 2}]},
        "lrsServer": {"self": {}},
    }


def test_outliers_have_everything_said_that_is_on_in_one_language_and_off_in_another():
    assert cluster(outlier=Outlier(interval=1, base_ejection=5, enforcing=50)) == {
        **PLAIN,
        "outlierDetection": {
            "interval": "1s",
            "baseEjectionTime": "5s",
            "maxEjectionPercent": 10,
            "failurePercentageThreshold": 85,
            "failurePercentageMinimumHosts": 1,
            "failurePercentageRequestVolume": 5,
            "enforcingFailurePercentage": 50,
            "enforcingSuccessRate": 0,
            "enforcingConsecutive5xx": 0,
        },
    }


def test_rust_is_told_neither_ring_nor_limit():
    """xds.md 7.4: the one is refused, the other ignored."""
    assert cluster(Dialect.RUST, balance=Balance.RING_HASH, max_requests=2) == PLAIN


def test_envoy_speaks_http2():
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    assert cluster(Dialect.ENVOY) == {
        **PLAIN,
        "typedExtensionProtocolOptions": {
            options: {"@type": f"type.googleapis.com/{options}", "explicitHttpConfig": {"http2ProtocolOptions": {}}}
        },
    }
