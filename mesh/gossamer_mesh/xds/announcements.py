"""Routes that name clusters before any call goes to them, for grpc-go.

It takes up routes before it knows the clusters that they lead to (clientconn.go, updateResolverStateAndUnlock), and
until it does, calls to new ones fail with "unknown cluster selected for RPC", which nothing tries again (1.85).
"""

from dataclasses import replace
from functools import lru_cache

from envoy.config.route.v3.route_components_pb2 import Route, RouteMatch
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

from gossamer_mesh.xds import wire
from gossamer_mesh.xds.resource import Resource

PREFIX = "announcing-"
"""How the version begins of a response that isn't what there is, but on the way to it."""


@lru_cache(maxsize=64)  # so that all clients of a view are sent the same
def announcing(routes: Resource, clusters: frozenset[str]) -> Resource:
    """Give the same routes, and behind the last, which takes all calls, one that names the clusters."""
    (packed,) = DiscoveryResponse.FromString(routes.wire).resources
    message = RouteConfiguration.FromString(packed.value)
    route = Route(match=RouteMatch(prefix=""))
    for name in sorted(clusters):
        route.route.weighted_clusters.clusters.add(name=name).weight.value = 1
    route.route.weighted_clusters.total_weight.value = len(clusters)
    for host in message.virtual_hosts:
        host.routes.append(route)
    return replace(routes, wire=wire.encode(message), announced=routes.announced | clusters)
