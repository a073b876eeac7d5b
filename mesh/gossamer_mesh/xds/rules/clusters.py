"""Rules of clusters."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection

from gossamer_mesh.xds.rules import Problems, must

LARGEST_RING = 8 * 1024 * 1024

PERCENTAGES = (
    "max_ejection_percent",
    "enforcing_success_rate",
    "enforcing_failure_percentage",
    "failure_percentage_threshold",
)

LAST_POLICY = "type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin"
"""What every client knows."""


def cluster(message: Cluster) -> Problems:
    """Check a cluster."""
    source = message.eds_cluster_config.eds_config.WhichOneof("config_source_specifier")
    thresholds = message.circuit_breakers.thresholds
    limited = any(threshold.HasField("max_requests") for threshold in thresholds)
    yield from must(
        (bool(message.name), "no name"),
        (message.type == Cluster.EDS, "a type other than EDS"),
        (source in {"ads", "self"}, "endpoints that don't come from ADS"),
        (not message.transport_socket_matches, "transport_socket_matches"),
        (
            not limited or message.lrs_server.HasField("self"),
            "max_requests without lrs_server, so that Java limits nothing",
        ),
    )
    yield from _balance(message)
    if message.HasField("outlier_detection"):
        yield from _outlier(message.outlier_detection)


def _balance(message: Cluster) -> Problems:
    policies = [each.typed_extension_config.typed_config.type_url for each in message.load_balancing_policy.policies]
    yield from must(
        (
            message.lb_policy in {Cluster.ROUND_ROBIN, Cluster.RING_HASH},
            f"the lb_policy {Cluster.LbPolicy.Name(message.lb_policy)}, which some language refuses",
        ),
        (
            not message.HasField("load_balancing_policy") or policies[-1:] == [LAST_POLICY],
            "a load_balancing_policy that does not end with one that all know",
        ),
    )
    if message.lb_policy == Cluster.RING_HASH:
        yield from _ring(message.ring_hash_lb_config)


def _ring(ring: Cluster.RingHashLbConfig) -> Problems:
    least = ring.minimum_ring_size.value if ring.HasField("minimum_ring_size") else 1024
    most = ring.maximum_ring_size.value if ring.HasField("maximum_ring_size") else LARGEST_RING
    yield from must(
        (
            1 <= least <= most <= LARGEST_RING,
            f"a ring of {least} to {most}: expected 1 to {LARGEST_RING}, the least first",
        ),
        (ring.hash_function == Cluster.RingHashLbConfig.XX_HASH, "a ring with another hash than XX_HASH"),
    )


def _outlier(outlier: OutlierDetection) -> Problems:
    for name in ("enforcing_success_rate", "enforcing_failure_percentage"):
        yield from must((outlier.HasField(name), f"no {name}, which is on in one language and off in another"))
    for name in PERCENTAGES:
        percent = getattr(outlier, name).value
        yield from must((percent <= 100, f"{name} {percent}, which is more than 100"))  # noqa: PLR2004 - percent
