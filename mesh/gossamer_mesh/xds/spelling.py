"""What is planned -> resources, each spelled once, however many views it is a part of."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from weakref import WeakValueDictionary

from envoy.config.cluster.v3.cluster_pb2 import Cluster as ClusterMessage
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.message import Message

from gossamer_mesh.model import Balance, Cluster, Plan, Route, Share
from gossamer_mesh.xds import wire
from gossamer_mesh.xds.assignments import assignment
from gossamer_mesh.xds.clusters import cluster_message
from gossamer_mesh.xds.dialects import cluster_followed, routes_followed
from gossamer_mesh.xds.legality import require_legal
from gossamer_mesh.xds.listeners import listener
from gossamer_mesh.xds.resource import Resource
from gossamer_mesh.xds.routes import route_configuration
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import Dialect, Follower


class Spelling:
    """Spells, and gives what is still held somewhere again when the same is asked for."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[Hashable, Resource] = WeakValueDictionary()

    def plan(self, plan: Plan, follower: Follower) -> Iterator[Resource]:
        """Spell all of a plan. Raises `IllegalResourceError`."""
        for cluster in plan.clusters:
            yield from self.cluster(cluster, follower.dialect)
        yield from self.routing(plan, follower)

    def routing(self, plan: Plan, follower: Follower) -> Iterator[Resource]:
        """Spell the listener, which Envoy has of its own, and the routes of a plan. Raises `IllegalResourceError`."""
        name, envoy = plan.service, follower.dialect is Dialect.ENVOY
        routes = routes_followed(plan.routes or (Route(to=(Share(cluster=name),)),), follower)
        faulty = any(route.fault for route in routes)
        if not envoy:
            yield self._once((Listener, name, faulty), name, lambda: listener(name, faulty=faulty))
        yield self._once(
            (RouteConfiguration, name, routes, envoy),
            name,
            lambda: route_configuration(name, routes, envoy=envoy),
            clusters=lambda: frozenset(share.cluster for route in routes for share in route.to),
        )

    def cluster(self, cluster: Cluster, dialect: Dialect) -> Iterator[Resource]:
        """Spell a cluster and its endpoints. Raises `IllegalResourceError`."""
        seen, envoy = cluster_followed(cluster, dialect), dialect is Dialect.ENVOY
        bare = replace(seen, levels=())
        yield self._once((ClusterMessage, bare, envoy), seen.name, lambda: cluster_message(bare, envoy=envoy))
        yield self._once(
            (ClusterLoadAssignment, seen.name, seen.levels, seen.balance is Balance.RING_HASH),
            seen.name,
            lambda: assignment(seen),
            addresses=lambda: frozenset(endpoint.address for endpoint in seen.endpoints),
        )

    def _once(
        self,
        key: tuple[type[Message], *tuple[Hashable, ...]],
        name: str,
        make: Callable[[], Message],
        addresses: Callable[[], frozenset[str]] = frozenset,
        clusters: Callable[[], frozenset[str]] = frozenset,
    ) -> Resource:
        held = self._held.get(key)
        if held is None:
            message = make()
            require_legal(message)
            type_ = Type(message.DESCRIPTOR.full_name)
            held = Resource(
                type=type_, name=name, wire=wire.encode(message), addresses=addresses(), clusters=clusters()
            )
            self._held[key] = held
        return held
