"""Who a client says it is."""

from typing import NamedTuple

from envoy.config.core.v3 import base_pb2

RETRIES = "gossamer.retries"
"""The key of a node's metadata."""

LONGEST = 1000
"""Characters of each text that are kept: they are kept as long as the stream, and no honest one is longer."""


class Node(NamedTuple):
    """What a client says of itself in the first request of its stream."""

    id: str = ""
    cluster: str = ""
    """The service that it is an instance of."""
    user_agent: str = ""
    """The client library and its version, for example `gRPC Go 1.85.0`."""
    zone: str = ""
    retries: str = ""
    """Who tries calls again, as its metadata says it: `kit`, or nobody but the library."""

    @classmethod
    def of(cls, node: base_pb2.Node) -> "Node":
        """Read the node of a request."""
        user_agent = f"{node.user_agent_name} {node.user_agent_version}".strip()
        retries = node.metadata.fields[RETRIES].string_value if RETRIES in node.metadata.fields else ""
        return cls(*(text[:LONGEST] for text in (node.id, node.cluster, user_agent, node.locality.zone, retries)))
