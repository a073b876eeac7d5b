"""Rules of assignments."""

from collections import Counter
from collections.abc import Iterable

from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from gossamer_mesh.model.address import packed
from gossamer_mesh.xds.rules import LARGEST_SUM, Problems, must


def assignment(message: ClusterLoadAssignment) -> Problems:
    """Check the endpoints of a cluster."""
    localities = message.endpoints
    members = [member for locality in localities for member in locality.lb_endpoints]
    endpoints = [member.endpoint.address.socket_address for member in members]
    priorities = {locality.priority for locality in localities}
    yield from must(
        (bool(message.cluster_name), "no name"),
        (bool(endpoints), "no endpoints: one that refuses is expected"),
        (all(packed(endpoint.address) for endpoint in endpoints), "a host name where an IP address is expected"),
        (all(endpoint.port_value for endpoint in endpoints), "an endpoint without port"),
        (_unique((e.address, e.port_value) for e in endpoints), "an address twice"),
        (priorities == set(range(len(priorities))), f"priorities {sorted(priorities)} with a gap"),
        (all(locality.HasField("locality") for locality in localities), "endpoints without locality"),
        (_unique((x.locality.SerializeToString(deterministic=True)) for x in localities), "a locality twice"),
        (all(locality.load_balancing_weight.value for locality in localities), "a locality without weight"),
        (all(locality.lb_endpoints for locality in localities), "a locality without endpoints"),
        (all(_weight(member) for member in members), "an endpoint with a weight of 0"),
        (_heaviest_level(localities) <= LARGEST_SUM, f"a level of localities that weigh more than {LARGEST_SUM}"),
        (_heaviest_locality(localities) <= LARGEST_SUM, f"a locality of endpoints that weigh more than {LARGEST_SUM}"),
    )


def _weight(member: LbEndpoint) -> int:
    return member.load_balancing_weight.value if member.HasField("load_balancing_weight") else 1


def _heaviest_level(localities: Iterable[LocalityLbEndpoints]) -> int:
    weights: Counter[int] = Counter()
    for locality in localities:
        weights[locality.priority] += locality.load_balancing_weight.value
    return max(weights.values(), default=0)


def _heaviest_locality(localities: Iterable[LocalityLbEndpoints]) -> int:
    return max((sum(map(_weight, locality.lb_endpoints)) for locality in localities), default=0)


def _unique(items: Iterable[object]) -> bool:
    listed = list(items)
    return len(listed) == len(set(listed))
