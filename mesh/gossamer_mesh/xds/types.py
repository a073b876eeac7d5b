"""The four kinds of resources that gRPC clients follow, and the rules that differ between them."""

from enum import Enum

PREFIX = "type.googleapis.com/"


class Type(Enum):
    """One kind of resource, in the order in which changes are sent: make before break."""

    CLUSTER = "envoy.config.cluster.v3.Cluster"
    CLUSTER_LOAD_ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = "envoy.config.listener.v3.Listener"
    ROUTE_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"

    __hash__ = object.__hash__  # there is one of each; that of Enum is Python, and looked up for every client

    @property
    def url(self) -> str:
        """The type URL."""
        return PREFIX + self.value

    @property
    def full_state(self) -> bool:
        """Whether each response holds all that the client asked for, because leaving out means deleting."""
        return self in {Type.CLUSTER, Type.LISTENER}


BY_URL = {type_.url: type_ for type_ in Type}
"""The types by their URL."""
