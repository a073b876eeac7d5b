"""Each row of xds.md 4.3 that can leave this control plane: refused before it is sent, with a reason."""

import re

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf.any_pb2 import Any
from google.protobuf.json_format import ParseDict

from gossamer_mesh.model import (
    Abort,
    Balance,
    Delay,
    Endpoint,
    Fault,
    Header,
    HeaderIs,
    Match,
    Outlier,
    PathIs,
    Plan,
    Retry,
    Route,
    Share,
)
from gossamer_mesh.model import Cluster as Planned
from gossamer_mesh.xds import Dialect, Type
from gossamer_mesh.xds.legality import IllegalResourceError, require_legal

from .reading import message, told


def member(address="10.0.0.1", port=80, **more):
    return {"endpoint": {"address": {"socketAddress": {"address": address, "portValue": port}}}, **more}


def locality(*members, zone="a", weight=1, **more):
    return {
        "locality": {"zone": zone},
        "lbEndpoints": members or [member()],
        **({"loadBalancingWeight": weight} if weight is not None else {}),
        **more,
    }


ASSIGNMENTS = {
    "no endpoints": [],
    "a host name": [locality(member("catalog.local"))],
    "without port": [locality(member(port=0))],
    "an address twice": [locality(member(), member())],
    "an address twice, over priorities": [locality(), locality(zone="b", priority=1)],
    "priorities [1]": [locality(priority=1)],
    "priorities [0, 2]": [locality(), locality(member(port=81), zone="b", priority=2)],
    "without locality": [{"lbEndpoints": [member()], "loadBalancingWeight": 1}],
    "a locality twice": [locality(), locality(member(port=81))],
    "without weight": [locality(weight=None)],
    "without endpoints": [locality(), locality(zone="b") | {"lbEndpoints": []}],
    "a weight of 0": [locality(member(loadBalancingWeight=0))],
    "a level of localities that weigh more than 4294967295": [
        locality(weight=2**32 - 1),
        locality(member(port=81), zone="b"),
    ],
    "a locality of endpoints that weigh more than 4294967295": [
        locality(member(loadBalancingWeight=2**32 - 1), member(port=81)),
    ],
}


@pytest.mark.parametrize("reason", ASSIGNMENTS)
def test_an_assignment_is_refused(reason):
    message = ParseDict({"clusterName": "catalog", "endpoints": ASSIGNMENTS[reason]}, ClusterLoadAssignment())
    with pytest.raises(IllegalResourceError, match="catalog") as refused:
        require_legal(message)
    assert reason.split(",")[0] in str(refused.value)


ADS = {"ads": {}}

GOOD = {"name": "c", "type": "EDS", "edsClusterConfig": {"edsConfig": ADS}}

ENFORCING = {"enforcingSuccessRate": 0, "enforcingFailurePercentage": 100}

CLUSTERS = {
    "no name": GOOD | {"name": ""},
    "other than EDS": GOOD | {"type": "STRICT_DNS"},
    "from ADS": {"name": "c", "type": "EDS"},
    "transport_socket_matches": GOOD | {"transportSocketMatches": [{"name": "x"}]},
    "lb_policy MAGLEV": GOOD | {"lbPolicy": "MAGLEV"},
    "lb_policy RANDOM": GOOD | {"lbPolicy": "RANDOM"},
    "lb_policy LEAST_REQUEST": GOOD | {"lbPolicy": "LEAST_REQUEST"},
    "lb_policy LOAD_BALANCING_POLICY_CONFIG": GOOD | {"lbPolicy": "LOAD_BALANCING_POLICY_CONFIG"},
    "does not end with one that all know": GOOD
    | {"loadBalancingPolicy": {"policies": [{"typedExtensionConfig": {"name": "x"}}]}},
    "a ring of 0 to 8388608": GOOD | {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": 0}},
    "a ring of 3 to 2": GOOD
    | {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": 3, "maximumRingSize": 2}},
    "a ring of 1024 to 8388609": GOOD | {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"maximumRingSize": 8388609}},
    "another hash": GOOD | {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"hashFunction": "MURMUR_HASH_2"}},
    "no enforcing_success_rate": GOOD | {"outlierDetection": {"enforcingFailurePercentage": 100}},
    "no enforcing_failure_percentage": GOOD | {"outlierDetection": {"enforcingSuccessRate": 0}},
    "max_ejection_percent 101": GOOD | {"outlierDetection": ENFORCING | {"maxEjectionPercent": 101}},
    "failure_percentage_threshold 101": GOOD | {"outlierDetection": ENFORCING | {"failurePercentageThreshold": 101}},
    "enforcing_failure_percentage 101": GOOD | {"outlierDetection": ENFORCING | {"enforcingFailurePercentage": 101}},
    "max_requests without lrs_server": GOOD | {"circuitBreakers": {"thresholds": [{"maxRequests": 2}]}},
}


@pytest.mark.parametrize("reason", CLUSTERS)
def test_a_cluster_is_refused(reason):
    with pytest.raises(IllegalResourceError, match=reason):
        require_legal(ParseDict(CLUSTERS[reason], Cluster()))


def route(**action):
    return {"match": {"prefix": ""}, "route": {"cluster": "c", **action}}


def matched(**match):
    return {"name": "v", "domains": ["*"], "routes": [route() | {"match": match}]}


def headed(**header):
    return matched(prefix="", headers=[header])


def weighted(*weights):
    clusters = [{"name": "c", "weight": weight} for weight in weights]
    routes = [{"match": {"prefix": ""}, "route": {"weightedClusters": {"clusters": clusters}}}]
    return {"name": "v", "domains": ["*"], "routes": routes}


def faulty(**fault):
    packed = {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", **fault}
    return {"name": "v", "domains": ["*"], "routes": [route() | {"typedPerFilterConfig": {"fault": packed}}]}


ALL_AND_ONE = {"numerator": 1_000_001, "denominator": "MILLION"}

HOSTS = {
    "without domains": {"name": "v", "routes": [route()]},
    "without routes": {"name": "v", "domains": ["*"]},
    "query parameters": {
        "name": "v",
        "domains": ["*"],
        "routes": [route() | {"match": {"prefix": "", "queryParameters": [{"name": "q"}]}}],
    },
    "no client follows": {
        "name": "v",
        "domains": ["*"],
        "routes": [{"match": {"prefix": ""}, "redirect": {"hostRedirect": "x"}}],
    },
    "add up to 0": weighted(0, 0),
    "add up to 4294967296, more than 4294967295": weighted(2**32 - 1, 1),
    "a match of connect_matcher": matched(connectMatcher={}),
    "the path ''": matched(path=""),
    "the path 'a/b'": matched(path="a/b"),
    "the path '/a'": matched(path="/a"),
    "the path '/a/'": matched(path="/a/"),
    "the path '/a/b/c'": matched(path="/a/b/c"),
    "the prefix 'a'": matched(prefix="a"),
    "the prefix '//'": matched(prefix="//"),
    "the prefix '/a/b/'": matched(prefix="/a/b/"),
    "expression '('": matched(safeRegex={"regex": "("}),
    "header without name": headed(presentMatch=True),
    "compared by exact_match": headed(name="x", exactMatch="v"),
    "compared by None": headed(name="x"),
    "invalid perl operator: (?!": headed(name="x", safeRegexMatch={"regex": "(?!v)"}),
    "an abort with status 0": faulty(abort={"grpcStatus": 0}),
    "an abort with status 17": faulty(abort={"grpcStatus": 17}),
    "an abort of more than all": faulty(abort={"grpcStatus": 14, "percentage": ALL_AND_ONE}),
    "a delay of more than all": faulty(delay={"fixedDelay": "1s", "percentage": ALL_AND_ONE}),
    "num_retries 0": {
        "name": "v",
        "domains": ["*"],
        "routes": [route(retryPolicy={"retryOn": "unavailable", "numRetries": 0})],
    },
    "num_retries 5": {
        "name": "v",
        "domains": ["*"],
        "routes": [route(retryPolicy={"retryOn": "unavailable", "numRetries": 5})],
    },
    "no blanks": {
        "name": "v",
        "domains": ["*"],
        "routes": [route(retryPolicy={"retryOn": "internal, unavailable", "numRetries": 1})],
    },
    "retry_on '5xx'": {
        "name": "v",
        "domains": ["*"],
        "routes": [route(retryPolicy={"retryOn": "5xx", "numRetries": 1})],
    },
}


@pytest.mark.parametrize("reason", HOSTS)
def test_routes_are_refused(reason):
    message = ParseDict({"name": "catalog", "virtualHosts": [HOSTS[reason]]}, RouteConfiguration())
    with pytest.raises(IllegalResourceError, match=re.escape(reason)):
        require_legal(message)


@pytest.mark.parametrize("prefix", ["", "/", "/shop.Catalog", "/shop.Catalog/", "/shop.Catalog/Get"])
def test_these_prefixes_are_followed_by_all(prefix):
    message = ParseDict({"name": "catalog", "virtualHosts": [matched(prefix=prefix)]}, RouteConfiguration())
    require_legal(message)


def manager(**changes):
    router = hcm.HttpFilter(name="router")
    router.typed_config.Pack(Router())
    good = hcm.HttpConnectionManager(http_filters=[router])
    good.rds.route_config_name = "catalog"
    good.rds.config_source.ads.SetInParent()
    for name, value in changes.items():
        if name == "filters":
            del good.http_filters[:]
            good.http_filters.extend(value(router))
        elif name == "hops":
            good.xff_num_trusted_hops = value
        elif name == "source":
            good.rds.ClearField("config_source")
    return good


def before(url="", *, optional=False):
    """Filters that end with the router."""
    return lambda router: [hcm.HttpFilter(name="x", typed_config=Any(type_url=url), is_optional=optional), router]


LISTENERS = {
    "the filter 'x' is unknown": {"filters": before("type.googleapis.com/x.Y")},
    "the filter 'x' is RBAC": {"filters": before(f"type.googleapis.com/{RBAC.DESCRIPTOR.full_name}", optional=True)},
    "end with the router": {"filters": lambda _: []},
    "don't end with the router": {"filters": lambda router: [router, hcm.HttpFilter(name="fault")]},
    "xff_num_trusted_hops": {"hops": 1},
    "from ADS": {"source": None},
}


@pytest.mark.parametrize("reason", LISTENERS)
def test_a_listener_is_refused(reason):
    listener = Listener(name="catalog")
    listener.api_listener.api_listener.Pack(manager(**LISTENERS[reason]))
    with pytest.raises(IllegalResourceError, match=reason):
        require_legal(listener)


def test_a_listener_without_manager_is_refused():
    with pytest.raises(IllegalResourceError, match="no HttpConnectionManager"):
        require_legal(Listener(name="srv/127.0.0.1:80"))


def test_an_unknown_filter_that_is_optional_is_no_matter():
    listener = Listener(name="catalog")
    listener.api_listener.api_listener.Pack(manager(filters=before("type.googleapis.com/x.Y", optional=True)))
    require_legal(listener)


def everything():
    """A plan that has all there is to be planned."""
    headers = tuple(
        Header(name="x", is_=kind, value="" if kind is HeaderIs.PRESENT else "v", invert=invert)
        for kind in HeaderIs
        for invert in (False, True)
    )
    paths = {PathIs.EXACT: "/shop.Catalog/Get", PathIs.PREFIX: "/shop.Catalog/", PathIs.REGEX: "/[^/]+/G.*"}
    fault = Fault(delay=Delay(seconds=1), abort=Abort(status=14, percent=0.01))
    to = tuple(Share(cluster=balance.value, weight=1) for balance in Balance)
    routes = tuple(
        Route(match=Match(is_=kind, path=path, headers=headers), to=to, timeout=1, hash_on=("x",), fault=fault)
        for kind, path in paths.items()
    )
    levels = tuple((Endpoint(host="::1", port=n), Endpoint(host="::1", port=n + 9, weight=n)) for n in (1, 2, 3))
    clusters = tuple(
        Planned(name=balance.value, balance=balance, max_requests=1, outlier=Outlier(), levels=levels)
        for balance in Balance
    )
    last = Route(to=(Share(cluster="round_robin"),), retry=Retry(on=("internal", "unavailable"), times=4))
    return Plan(service="catalog", routes=(*routes, last), clusters=clusters)


@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_spelled_is_legal_in_every_dialect(dialect):
    found = told(everything(), dialect=dialect)
    resources = [found.get(type_, name) for type_ in Type for name in found.names(type_)]
    for resource in resources:
        require_legal(message(resource))
    assert len(resources) == (7 if dialect is Dialect.ENVOY else 8)
