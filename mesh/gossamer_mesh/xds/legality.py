"""What some gRPC client would refuse or silently misread, checked before it is sent (xds.md 4.3, 7.3 and 7.5).

A failure here is a fault of the control plane, not of a person's configuration: `policy` refuses that, with its name,
long before. The rules of each kind of resource are a list of what must hold, in a file of their own.
"""

from collections.abc import Callable

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.message import Message

from gossamer_mesh.xds.rules import Problems
from gossamer_mesh.xds.rules.assignments import assignment
from gossamer_mesh.xds.rules.clusters import cluster
from gossamer_mesh.xds.rules.listeners import listener
from gossamer_mesh.xds.rules.routes import route_configuration


class IllegalResourceError(Exception):
    """A resource that some client would refuse or misread. The message names the resource and all that is wrong."""


def require_legal(message: Message) -> None:
    """Raise `IllegalResourceError` if some client would refuse or misread the resource."""
    problems = list(RULES[type(message)](message))
    if problems:
        name = getattr(message, "name", None) or getattr(message, "cluster_name", "")
        raise IllegalResourceError(f"{type(message).__name__} {name!r}: {'; '.join(problems)}")


RULES: dict[type, Callable[..., Problems]] = {
    Listener: listener,
    RouteConfiguration: route_configuration,
    Cluster: cluster,
    ClusterLoadAssignment: assignment,
}
"""What must hold of each kind of resource."""
