"""The routes of a plan -> their RouteConfiguration."""

from collections.abc import Iterable

from envoy.config.route.v3 import route_components_pb2 as route
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from gossamer_mesh.model import Retry, Route, Share
from gossamer_mesh.xds import faults
from gossamer_mesh.xds.matches import route_match
from gossamer_mesh.xds.wire import duration, pack


def route_configuration(name: str, routes: Iterable[Route], *, envoy: bool) -> RouteConfiguration:
    """Make all routes of a service, for Envoy or for gRPC clients."""
    host = route.VirtualHost(name=name, domains=["*"], routes=[_route(each, envoy=envoy) for each in routes])
    return RouteConfiguration(name=name, virtual_hosts=[host])


def _route(planned: Route, *, envoy: bool) -> route.Route:
    message = route.Route(match=route_match(planned.match), route=_action(planned, envoy=envoy))
    if planned.fault:
        message.typed_per_filter_config[faults.FILTER].CopyFrom(pack(faults.http_fault(planned.fault)))
    return message


def _action(planned: Route, *, envoy: bool) -> route.RouteAction:
    action = route.RouteAction()
    _lead(action, planned.to)
    if planned.timeout is not None:
        # gRPC clients follow this one only (A31)
        action.max_stream_duration.max_stream_duration.CopyFrom(duration(planned.timeout))
    if envoy:
        # unless it is told otherwise, Envoy gives up after 15 seconds
        action.timeout.CopyFrom(duration(planned.timeout or 0))
    if planned.retry:
        action.retry_policy.CopyFrom(_retry(planned.retry))
    for name in planned.hash_on:
        action.hash_policy.add().header.header_name = name
    return action


def _lead(action: route.RouteAction, shares: tuple[Share, ...]) -> None:
    if len(shares) == 1:
        action.cluster = shares[0].cluster
        return
    for share in shares:
        action.weighted_clusters.clusters.add(name=share.cluster).weight.value = share.weight
    # where it is looked at at all, it must be the sum
    action.weighted_clusters.total_weight.value = sum(share.weight for share in shares)


def _retry(retry: Retry) -> route.RetryPolicy:
    # joined without blanks: some clients don't trim (xds.md 4.3)
    message = route.RetryPolicy(retry_on=",".join(retry.on))
    message.num_retries.value = retry.times
    return message
