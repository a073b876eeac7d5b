"""The endpoints of a cluster -> its ClusterLoadAssignment.

Each level is a priority. Within one, endpoints of the same zone and weight are a locality, which weighs what they weigh
together: under round robin gRPC heeds the weights of localities, and ignores those of endpoints (xds.md 16 and 16c).
A ring heeds the product of both, so there all endpoints of a level are in one locality. Endpoints carry their weights
all the same: for the ring, and for Envoy.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.base_pb2 import Locality
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EndpointMessage
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf.wrappers_pb2 import UInt32Value

from gossamer_mesh.model import Balance, Cluster, Endpoint

NOWHERE = Endpoint(host="127.0.0.1", port=1, zone="nowhere")
"""Refuses every connection: calls fail UNAVAILABLE at once in all languages, where an empty assignment does not."""


def assignment(cluster: Cluster) -> ClusterLoadAssignment:
    """Make the endpoints of a cluster, or one that refuses if there are none."""
    levels = cluster.levels or ((NOWHERE,),)
    return ClusterLoadAssignment(
        cluster_name=cluster.name,
        endpoints=[
            _locality(locality, number, endpoints)
            for number, level in enumerate(levels)
            for locality, endpoints in _localities(number, level, ring=cluster.balance is Balance.RING_HASH)
        ],
    )


def _localities(number: int, level: Iterable[Endpoint], *, ring: bool) -> Iterator[tuple[Locality, Iterable[Endpoint]]]:
    """Group a level, with a name for each group: some clients need it to differ from those of all other levels."""
    groups: defaultdict[tuple[str, int], list[Endpoint]] = defaultdict(list)
    for endpoint in level:
        groups["" if ring else endpoint.zone, 1 if ring else endpoint.weight].append(endpoint)
    for (zone, weight), endpoints in sorted(groups.items()):
        words = (f"level {number}" if number else "", f"weight {weight}" if weight != 1 else "")
        yield Locality(zone=zone, sub_zone=", ".join(filter(None, words))), endpoints


def _locality(locality: Locality, number: int, endpoints: Iterable[Endpoint]) -> LocalityLbEndpoints:
    return LocalityLbEndpoints(
        locality=locality,
        priority=number,
        lb_endpoints=[_member(endpoint) for endpoint in endpoints],
        load_balancing_weight=UInt32Value(value=sum(endpoint.weight for endpoint in endpoints)),
    )


def _member(endpoint: Endpoint) -> LbEndpoint:
    address = Address(socket_address=SocketAddress(address=endpoint.host, port_value=endpoint.port))
    member = LbEndpoint(endpoint=EndpointMessage(address=address))
    if endpoint.weight != 1:
        member.load_balancing_weight.value = endpoint.weight
    return member
