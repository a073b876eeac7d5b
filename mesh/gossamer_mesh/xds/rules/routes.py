"""Rules of routes."""

import re
from collections.abc import Iterator

from envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault

from gossamer_mesh.model import pattern
from gossamer_mesh.xds.rules import LARGEST_SUM, Problems, must

RETRY_ON = frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
"""The conditions that gRPC knows (A44)."""

MOST_RETRIES = 4
"""gRPC makes at most five attempts."""

METHOD = re.compile(r"/[^/]+/[^/]+")

PREFIX = re.compile(r"(/([^/]+(/[^/]*)?)?)?")
"""What gRPC's core can match; it drops a route with any other."""

MILLION = 1_000_000

STATUSES = range(1, 17)
"""The statuses with which a call can fail."""


def route_configuration(message: RouteConfiguration) -> Problems:
    """Check the routes of a service."""
    yield from must((bool(message.name), "no name"), (bool(message.virtual_hosts), "no virtual hosts"))
    for host in message.virtual_hosts:
        yield from _virtual_host(host)


def _virtual_host(host: VirtualHost) -> Problems:
    yield from must(
        (bool(host.domains), "a virtual host without domains"),
        (bool(host.routes), "a virtual host without routes"),
    )
    for route in host.routes:
        yield from _match(route.match)
        yield from _action(route)
        yield from _faults(route)


def _match(match: RouteMatch) -> Problems:
    kind = match.WhichOneof("path_specifier")
    yield from must(
        (not match.query_parameters, "a match of query parameters: the route would be dropped"),
        (kind in {"path", "prefix", "safe_regex"}, f"a match of {kind}, which no client knows"),
        (kind != "path" or bool(METHOD.fullmatch(match.path)), f"the path {match.path!r}: the route would be dropped"),
        (
            kind != "prefix" or bool(PREFIX.fullmatch(match.prefix)),
            f"the prefix {match.prefix!r}: the route would be dropped",
        ),
    )
    if kind == "safe_regex":
        yield from _regex(match.safe_regex.regex)
    for header in match.headers:
        yield from _header(header)


def _header(header: HeaderMatcher) -> Problems:
    kind = header.WhichOneof("header_match_specifier")
    yield from must(
        (bool(header.name), "a header without name"),
        (kind in {"string_match", "safe_regex_match", "present_match"}, f"a header compared by {kind}"),
    )
    if kind == "safe_regex_match":
        yield from _regex(header.safe_regex_match.regex)


def _regex(regex: str) -> Problems:
    problem = pattern.problem_of(regex)
    yield from must((not problem, f"the regular expression {regex!r}: {problem}"))


def _action(route: Route) -> Problems:
    action = route.route
    weights = sum(cluster.weight.value for cluster in action.weighted_clusters.clusters)
    yield from must(
        (route.WhichOneof("action") == "route", "an action that no client follows"),
        (_has_target(action), "a route without cluster, or with weights that add up to 0"),
        (weights <= LARGEST_SUM, f"weights that add up to {weights}, more than {LARGEST_SUM}"),
    )
    if action.HasField("retry_policy"):
        yield from _retry(action.retry_policy)


def _has_target(action: RouteAction) -> bool:
    return bool(action.cluster) or any(cluster.weight.value for cluster in action.weighted_clusters.clusters)


def _retry(retry: RetryPolicy) -> Problems:
    conditions = retry.retry_on.split(",")
    yield from must(
        (set(conditions) <= RETRY_ON, f"retry_on {retry.retry_on!r}: expected some of {sorted(RETRY_ON)}, no blanks"),
        (1 <= retry.num_retries.value <= MOST_RETRIES, f"num_retries {retry.num_retries.value}"),
    )


def _faults(route: Route) -> Problems:
    for fault in _unpacked(route):
        status = fault.abort.grpc_status
        yield from must(
            (not fault.HasField("abort") or status in STATUSES, f"an abort with status {status}, which is no failure"),
            (fault.abort.percentage.numerator <= MILLION, "an abort of more than all calls"),
            (fault.delay.percentage.numerator <= MILLION, "a delay of more than all calls"),
        )


def _unpacked(route: Route) -> Iterator[HTTPFault]:
    for packed in route.typed_per_filter_config.values():
        fault = HTTPFault()
        if packed.Unpack(fault):
            yield fault
