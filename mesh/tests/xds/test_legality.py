"""Each row of xds.md 4.3 that can leave this control plane: refused before it is sent, with a reason."""

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.json_format import ParseDict

from gossamer_mesh.xds.legality import IllegalResourceError, require_legal
from gossamer_mesh.xds.resources import spell

from .conversation import plan


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
}


@pytest.mark.parametrize("reason", ASSIGNMENTS)
def test_an_assignment_is_refused(reason):
    message = ParseDict({"clusterName": "catalog", "endpoints": ASSIGNMENTS[reason]}, ClusterLoadAssignment())
    with pytest.raises(IllegalResourceError, match="catalog") as refused:
        require_legal(message)
    assert reason.split(",")[0] in str(refused.value)


ADS = {"ads": {}}

CLUSTERS = {
    "no name": {"type": "EDS", "edsClusterConfig": {"edsConfig": ADS}},
    "other than EDS": {"name": "c", "type": "STRICT_DNS", "edsClusterConfig": {"edsConfig": ADS}},
    "from ADS": {"name": "c", "type": "EDS"},
    "lb_policy": {"name": "c", "type": "EDS", "edsClusterConfig": {"edsConfig": ADS}, "lbPolicy": "MAGLEV"},
    "transport_socket_matches": {
        "name": "c",
        "type": "EDS",
        "edsClusterConfig": {"edsConfig": ADS},
        "transportSocketMatches": [{"name": "x"}],
    },
}


@pytest.mark.parametrize("reason", CLUSTERS)
def test_a_cluster_is_refused(reason):
    with pytest.raises(IllegalResourceError, match=reason):
        require_legal(ParseDict(CLUSTERS[reason], Cluster()))


def route(**action):
    return {"match": {"prefix": ""}, "route": {"cluster": "c", **action}}


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
    "add up to 0": {
        "name": "v",
        "domains": ["*"],
        "routes": [
            {
                "match": {"prefix": ""},
                "route": {"weightedClusters": {"clusters": [{"name": "c", "weight": 0}]}},
            }
        ],
    },
    "num_retries 0": {
        "name": "v",
        "domains": ["*"],
        "routes": [route(retryPolicy={"retryOn": "unavailable", "numRetries": 0})],
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
    with pytest.raises(IllegalResourceError, match=reason):
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


LISTENERS = {
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


def test_what_is_spelled_is_legal():
    for resource in spell(plan("catalog", 1, 2, retried=["/a/b"])):
        (packed,) = DiscoveryResponse.FromString(resource.wire).resources
        message = {c.DESCRIPTOR.full_name: c for c in (Listener, RouteConfiguration, Cluster, ClusterLoadAssignment)}
        require_legal(message[resource.type.value].FromString(packed.value))
