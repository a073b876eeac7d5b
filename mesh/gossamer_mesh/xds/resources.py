"""Plans -> xDS resources. Pure: equal plans give equal bytes, serialized once and shared by all streams.

A name that no plan has is answered with the resources of a service without instances, so that nobody waits for it; when
the service appears, the same names change in place (xds.md 7.3, items 2 and 8).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.base_pb2 import Locality
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EndpointAddress
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.api_listener_pb2 import ApiListener
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3 import route_components_pb2 as route
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from gossamer_mesh.model import Endpoint, Plan, Route
from gossamer_mesh.xds.legality import IllegalResourceError, require_legal
from gossamer_mesh.xds.types import Type

NOWHERE = Endpoint(host="127.0.0.1", port=1, zone="nowhere")
"""Refuses every connection: calls fail UNAVAILABLE at once in all languages, where an empty assignment does not."""

ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, weakref_slot=True)
class Resource:
    """One resource, ready to be sent."""

    type: Type
    name: str
    wire: bytes
    """The resource as a field of a DiscoveryResponse: a response is its head and the wires of its resources, joined."""
    addresses: frozenset[str] = frozenset()
    """Which instances an assignment holds, as `host:port`."""

    def same(self, other: "Resource | None") -> bool:
        """Tell whether a client that holds one needs the other."""
        return self is other or (other is not None and self.wire == other.wire)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ResourceSet:
    """All resources at one moment, of one view."""

    versions: Mapping[Type, str]
    """The version of each type: another one whenever a resource of it changed."""
    resources: Mapping[Type, Mapping[str, Resource]]
    illegal: tuple[str, ...] = ()
    """What was newly left out, because some client would refuse it; the resources before it stay."""
    _stubs: WeakValueDictionary[tuple[Type, str], Resource] = field(default_factory=WeakValueDictionary)
    """Those of unknown names that some client holds now."""

    def get(self, type_: Type, name: str) -> Resource | None:
        """Find a resource; for a name that is not known, one that refuses; none for a name that none can have."""
        return self.resources[type_].get(name) or self._stub(type_, name)

    def names(self, type_: Type) -> Iterable[str]:
        """List the names that are known."""
        return self.resources[type_].keys()

    def _stub(self, type_: Type, name: str) -> Resource | None:
        stub = self._stubs.get((type_, name))
        if stub is None:
            try:
                stub = next(resource for resource in spell(Plan(service=name)) if resource.type is type_)
            except IllegalResourceError:
                return None
            self._stubs[type_, name] = stub
        return stub


class Resources:
    """Turns plans into sets of resources, one after the other, spelling again only what changed."""

    def __init__(self, boot: str) -> None:
        """Begin every version with `boot`, so that those of two control planes differ."""
        self._boot = boot
        self._plans: dict[str, Plan] = {}
        self._spelled: dict[Type, dict[str, Resource]] = {type_: {} for type_ in Type}
        self._changes: dict[Type, int] = dict.fromkeys(Type, 0)
        self._stubs: WeakValueDictionary[tuple[Type, str], Resource] = WeakValueDictionary()

    def update(self, plans: Iterable[Plan]) -> ResourceSet:
        """Make the set after these plans. Names that they no longer have stay as they are: nothing is ever deleted."""
        changed: defaultdict[Type, dict[str, Resource]] = defaultdict(dict)
        illegal = []
        for plan in plans:
            if plan == self._plans.get(plan.service):
                continue
            self._plans[plan.service] = plan
            try:
                resources = spell(plan)
            except IllegalResourceError as error:
                illegal.append(str(error))
                continue
            for resource in resources:
                if not resource.same(self._spelled[resource.type].get(resource.name)):
                    changed[resource.type][resource.name] = resource
        return self._set(changed, tuple(illegal))

    def _set(self, changed: Mapping[Type, Mapping[str, Resource]], illegal: tuple[str, ...]) -> ResourceSet:
        for type_, resources in changed.items():
            self._spelled[type_] = {**self._spelled[type_], **resources}
            self._changes[type_] += 1
        versions = {type_: f"{self._boot}-{number}" for type_, number in self._changes.items()}
        return ResourceSet(versions=versions, resources=dict(self._spelled), illegal=illegal, _stubs=self._stubs)


def spell(plan: Plan) -> tuple[Resource, ...]:
    """Spell the four resources of a plan, all of the service's name."""
    endpoints = plan.endpoints or (NOWHERE,)
    return (
        _resource(Type.CLUSTER, plan.service, _cluster(plan.service)),
        _resource(
            Type.CLUSTER_LOAD_ASSIGNMENT,
            plan.service,
            _assignment(plan.service, endpoints),
            addresses=frozenset(endpoint.address for endpoint in plan.endpoints),
        ),
        _resource(Type.LISTENER, plan.service, _listener(plan.service)),
        _resource(Type.ROUTE_CONFIGURATION, plan.service, _routes(plan)),
    )


def _resource(type_: Type, name: str, message: Message, addresses: frozenset[str] = frozenset()) -> Resource:
    require_legal(message)
    wire = DiscoveryResponse(resources=[_pack(message)]).SerializeToString(deterministic=True)
    return Resource(type=type_, name=name, wire=wire, addresses=addresses)


def _pack(message: Message) -> Any:
    packed = Any()
    packed.Pack(message, deterministic=True)
    return packed


def _listener(name: str) -> Listener:
    manager = hcm.HttpConnectionManager(
        stat_prefix=name,
        rds=hcm.Rds(config_source=ADS, route_config_name=name),
        http_filters=[hcm.HttpFilter(name="router", typed_config=_pack(Router()))],
    )
    return Listener(name=name, api_listener=ApiListener(api_listener=_pack(manager)))


def _routes(plan: Plan) -> RouteConfiguration:
    host = route.VirtualHost(name=plan.service, domains=["*"], routes=[_route(r, plan.service) for r in plan.routes])
    return RouteConfiguration(name=plan.service, virtual_hosts=[host])


def _route(planned: Route, cluster: str) -> route.Route:
    action = route.RouteAction(cluster=cluster)
    if planned.retry:
        # joined without blanks: some clients don't trim (xds.md 4.3)
        action.retry_policy.retry_on = ",".join(planned.retry.on)
        action.retry_policy.num_retries.value = planned.retry.times
    match = route.RouteMatch(prefix="") if planned.path is None else route.RouteMatch(path=planned.path)
    return route.Route(match=match, route=action)


def _cluster(name: str) -> Cluster:
    return Cluster(name=name, type=Cluster.EDS, eds_cluster_config=Cluster.EdsClusterConfig(eds_config=ADS))


def _assignment(name: str, endpoints: Iterable[Endpoint]) -> ClusterLoadAssignment:
    """One locality a zone, weighed by its endpoints, so that every endpoint gets the same share."""
    zones: defaultdict[str, list[LbEndpoint]] = defaultdict(list)
    for endpoint in endpoints:
        address = Address(socket_address=SocketAddress(address=endpoint.host, port_value=endpoint.port))
        zones[endpoint.zone].append(LbEndpoint(endpoint=EndpointAddress(address=address)))
    localities = [
        LocalityLbEndpoints(
            locality=Locality(zone=zone), lb_endpoints=members, load_balancing_weight=UInt32Value(value=len(members))
        )
        for zone, members in sorted(zones.items())
    ]
    return ClusterLoadAssignment(cluster_name=name, endpoints=localities)
