"""Messages -> bytes, and the small messages that all resources are made of."""

from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
"""Says that what is named comes over the same stream."""


def pack(message: Message) -> Any:
    """Pack a message so that equal ones give equal bytes."""
    packed = Any()
    packed.Pack(message, deterministic=True)
    return packed


def encode(message: Message) -> bytes:
    """Make a resource into a field of a DiscoveryResponse."""
    wire: bytes = DiscoveryResponse(resources=[pack(message)]).SerializeToString(deterministic=True)
    return wire


def duration(seconds: float) -> Duration:
    """Make a duration, exact to the microsecond."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made
