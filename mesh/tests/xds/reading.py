"""Resources as a client reads them."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.json_format import MessageToDict

from gossamer_mesh.model import Audience
from gossamer_mesh.xds import Dialect, Resources, View

from .conversation import CDS, EDS, LDS, RDS

MESSAGES = {LDS: Listener, RDS: RouteConfiguration, CDS: Cluster, EDS: ClusterLoadAssignment}


def told(*plans, dialect=Dialect.OTHER):
    """What clients are told by these plans."""
    resources = Resources(boot="boot")
    assert resources.update(Audience(), plans) == ()
    return resources.of(View(dialect=dialect))


def message(resource):
    """The message in a resource."""
    made = MESSAGES[resource.type]()
    assert DiscoveryResponse.FromString(resource.wire).resources[0].Unpack(made)
    return made


def shown(resource):
    """A resource in words."""
    return MessageToDict(message(resource))
