"""What some gRPC client would refuse or silently misread, checked before it is sent (xds.md 4.3, 7.3 and 7.5).

One function a kind of message, each a list of what must hold. A failure here is a fault of the control plane, not of a
person's configuration: `policy` refuses that, with its name, long before.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import RetryPolicy, Route, RouteAction, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    Rds,
)
from google.protobuf.message import Message

ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

RETRY_ON = frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
"""The conditions that gRPC knows (A44)."""

MOST_RETRIES = 4
"""gRPC makes at most five attempts."""

Problems: TypeAlias = Iterator[str]


class IllegalResourceError(Exception):
    """A resource that some client would refuse or misread. The message names the resource and all that is wrong."""


def require_legal(message: Message) -> None:
    """Raise `IllegalResourceError` if some client would refuse or misread the resource."""
    problems = list(RULES[type(message)](message))
    if problems:
        name = getattr(message, "name", None) or getattr(message, "cluster_name", "")
        raise IllegalResourceError(f"{type(message).__name__} {name!r}: {'; '.join(problems)}")


def _must(*rules: tuple[bool, str]) -> Problems:
    yield from (problem for holds, problem in rules if not holds)


def _listener(listener: Listener) -> Problems:
    manager = HttpConnectionManager()
    yield from _must(
        (bool(listener.name), "no name"),
        (listener.api_listener.api_listener.Unpack(manager), "no HttpConnectionManager as api_listener"),
        (_from_ads(manager.rds), "routes that don't come from ADS"),
        (bool(manager.rds.route_config_name), "no name of routes"),
        (_ends_with_router(manager), "http_filters that don't end with the router"),
        (manager.xff_num_trusted_hops == 0, "xff_num_trusted_hops"),
        (not manager.original_ip_detection_extensions, "original_ip_detection_extensions"),
    )


def _from_ads(rds: Rds) -> bool:
    return rds.config_source.WhichOneof("config_source_specifier") in {"ads", "self"}


def _ends_with_router(manager: HttpConnectionManager) -> bool:
    routers = [filter_.typed_config.type_url == ROUTER for filter_ in manager.http_filters]
    return routers[-1:] == [True] and sum(routers) == 1


def _route_configuration(configuration: RouteConfiguration) -> Problems:
    yield from _must((bool(configuration.name), "no name"), (bool(configuration.virtual_hosts), "no virtual hosts"))
    for host in configuration.virtual_hosts:
        yield from _virtual_host(host)


def _virtual_host(host: VirtualHost) -> Problems:
    yield from _must(
        (bool(host.domains), "a virtual host without domains"),
        (bool(host.routes), "a virtual host without routes"),
    )
    for route in host.routes:
        yield from _route(route)


def _route(route: Route) -> Problems:
    yield from _must(
        (not route.match.query_parameters, "a match of query parameters: the route would be dropped"),
        (route.WhichOneof("action") == "route", "an action that no client follows"),
        (_has_target(route.route), "a route without cluster, or with weights that add up to 0"),
    )
    if route.route.HasField("retry_policy"):
        yield from _retry(route.route.retry_policy)


def _has_target(action: RouteAction) -> bool:
    return bool(action.cluster) or sum(cluster.weight.value for cluster in action.weighted_clusters.clusters) > 0


def _retry(retry: RetryPolicy) -> Problems:
    conditions = retry.retry_on.split(",")
    yield from _must(
        (set(conditions) <= RETRY_ON, f"retry_on {retry.retry_on!r}: expected some of {sorted(RETRY_ON)}, no blanks"),
        (1 <= retry.num_retries.value <= MOST_RETRIES, f"num_retries {retry.num_retries.value}"),
    )


def _cluster(cluster: Cluster) -> Problems:
    source = cluster.eds_cluster_config.eds_config.WhichOneof("config_source_specifier")
    yield from _must(
        (bool(cluster.name), "no name"),
        (cluster.type == Cluster.EDS, "a type other than EDS"),
        (source in {"ads", "self"}, "endpoints that don't come from ADS"),
        (cluster.lb_policy == Cluster.ROUND_ROBIN, "an lb_policy that some language refuses"),
        (not cluster.transport_socket_matches, "transport_socket_matches"),
    )


def _assignment(assignment: ClusterLoadAssignment) -> Problems:
    localities = assignment.endpoints
    members = [member for locality in localities for member in locality.lb_endpoints]
    endpoints = [member.endpoint.address.socket_address for member in members]
    priorities = {locality.priority for locality in localities}
    yield from _must(
        (bool(assignment.cluster_name), "no name"),
        (bool(endpoints), "no endpoints: one that refuses is expected"),
        (all(_is_ip(endpoint.address) for endpoint in endpoints), "a host name where an IP address is expected"),
        (all(endpoint.port_value for endpoint in endpoints), "an endpoint without port"),
        (_unique((e.address, e.port_value) for e in endpoints), "an address twice"),
        (priorities == set(range(len(priorities))), f"priorities {sorted(priorities)} with a gap"),
        (all(locality.HasField("locality") for locality in localities), "endpoints without locality"),
        (_unique((x.locality.SerializeToString(deterministic=True)) for x in localities), "a locality twice"),
        (all(locality.load_balancing_weight.value for locality in localities), "a locality without weight"),
        (all(locality.lb_endpoints for locality in localities), "a locality without endpoints"),
        (all(_weight(member) for member in members), "an endpoint with a weight of 0"),
    )


def _weight(member: LbEndpoint) -> int:
    return member.load_balancing_weight.value if member.HasField("load_balancing_weight") else 1


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _unique(items: Iterable[object]) -> bool:
    listed = list(items)
    return len(listed) == len(set(listed))


RULES: dict[type, Callable[..., Problems]] = {
    Listener: _listener,
    RouteConfiguration: _route_configuration,
    Cluster: _cluster,
    ClusterLoadAssignment: _assignment,
}
"""What must hold of each kind of resource."""
