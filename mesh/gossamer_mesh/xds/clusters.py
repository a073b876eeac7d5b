"""A cluster of a plan -> its Cluster: how calls are spread, and when an endpoint or a call is held back."""

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster as ClusterMessage
from envoy.config.cluster.v3.cluster_pb2 import LoadBalancingPolicy
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.load_balancing_policies.least_request.v3.least_request_pb2 import LeastRequest
from envoy.extensions.load_balancing_policies.round_robin.v3.round_robin_pb2 import RoundRobin
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value, UInt64Value

from gossamer_mesh.model import Balance, Cluster, Outlier
from gossamer_mesh.xds.wire import ADS, duration, pack

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cluster_message(cluster: Cluster, *, envoy: bool) -> ClusterMessage:
    """Make everything of a cluster but its endpoints, for Envoy or for gRPC clients."""
    message = ClusterMessage(
        name=cluster.name,
        type=ClusterMessage.EDS,
        eds_cluster_config=ClusterMessage.EdsClusterConfig(eds_config=ADS),
        connect_timeout=duration(cluster.connect_timeout),
    )
    _balance(message, cluster)
    if cluster.max_requests is not None:
        _limit(message, cluster.max_requests)
    if cluster.outlier:
        message.outlier_detection.CopyFrom(_outlier(cluster.outlier))
    if envoy:
        options = HttpProtocolOptions()
        options.explicit_http_config.http2_protocol_options.SetInParent()
        message.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(options))
    return message


def _balance(message: ClusterMessage, cluster: Cluster) -> None:
    if cluster.balance is Balance.RING_HASH:
        least, most = cluster.ring_size
        message.lb_policy = ClusterMessage.RING_HASH
        message.ring_hash_lb_config.CopyFrom(
            ClusterMessage.RingHashLbConfig(
                minimum_ring_size=UInt64Value(value=least), maximum_ring_size=UInt64Value(value=most)
            )
        )
    if cluster.balance is Balance.LEAST_REQUEST:
        # the enum is left as it is: the one for least request and the one that points to the list are each refused by
        # some language; of the list, each client takes the first that it knows
        least_request = LeastRequest(choice_count=UInt32Value(value=cluster.choices))
        message.load_balancing_policy.CopyFrom(
            LoadBalancingPolicy(
                policies=[_policy("least_request", least_request), _policy("round_robin", RoundRobin())]
            )
        )


def _policy(name: str, message: Message) -> LoadBalancingPolicy.Policy:
    config = TypedExtensionConfig(name=f"envoy.load_balancing_policies.{name}", typed_config=pack(message))
    return LoadBalancingPolicy.Policy(typed_extension_config=config)


def _limit(message: ClusterMessage, most: int) -> None:
    threshold = CircuitBreakers.Thresholds(max_requests=UInt32Value(value=most))
    message.circuit_breakers.CopyFrom(CircuitBreakers(thresholds=[threshold]))
    # Java counts calls only while it reports load (xds.md 7.3, item 3)
    message.lrs_server.self.SetInParent()


def _outlier(outlier: Outlier) -> OutlierDetection:
    return OutlierDetection(
        interval=duration(outlier.interval),
        base_ejection_time=duration(outlier.base_ejection),
        max_ejection_percent=UInt32Value(value=outlier.max_ejection_percent),
        failure_percentage_threshold=UInt32Value(value=outlier.threshold),
        failure_percentage_minimum_hosts=UInt32Value(value=outlier.minimum_hosts),
        failure_percentage_request_volume=UInt32Value(value=outlier.request_volume),
        # each said, since what is not said is on in one language and off in another; the third is Envoy's own
        enforcing_failure_percentage=UInt32Value(value=outlier.enforcing),
        enforcing_success_rate=UInt32Value(value=0),
        enforcing_consecutive_5xx=UInt32Value(value=0),
    )
