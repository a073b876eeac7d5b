"""What is planned -> what the clients of a dialect can follow of it (xds.md 7.3 to 7.5). Nothing is spelled here.

What a dialect does not change is equal to what came, so that its resources are those of everybody else.

| dialect | what is changed, and why |
|---------|--------------------------|
| C-core  | no timeouts: they fire up to two seconds early (grpc #40633); least request is not there |
| Node    | least request is not there: the list that asks for it falls back to one that ignores weights |
| Rust    | one level, since all are called at once; no ring, which is refused; least request is what it does anyway; |
|         | no faults and limits, which are ignored; a retry everywhere, since dead endpoints are called too |
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from gossamer_mesh.model import Balance, Cluster, Retry, Route
from gossamer_mesh.xds.views import Dialect

LAST_RESORT = Retry(on=("unavailable",), times=3)
"""What Rust gets for routes that say nothing of retries."""


def routes_followed(routes: tuple[Route, ...], dialect: Dialect) -> tuple[Route, ...]:
    """Give the routes without what clients of the dialect get wrong."""
    change = ROUTES.get(dialect)
    return tuple(map(change, routes)) if change else routes


def cluster_followed(cluster: Cluster, dialect: Dialect) -> Cluster:
    """Give the cluster without what clients of the dialect get wrong."""
    change = CLUSTERS.get(dialect)
    return change(cluster) if change else cluster


def _without_timeout(route: Route) -> Route:
    return replace(route, timeout=None) if route.timeout is not None else route


def _without_least_request(cluster: Cluster) -> Cluster:
    return replace(cluster, balance=Balance.ROUND_ROBIN) if cluster.balance is Balance.LEAST_REQUEST else cluster


def _rust_route(route: Route) -> Route:
    if route.retry and not route.fault:
        return route
    return replace(route, retry=route.retry or LAST_RESORT, fault=None)


def _rust_cluster(cluster: Cluster) -> Cluster:
    return replace(cluster, balance=Balance.ROUND_ROBIN, max_requests=None, levels=cluster.levels[:1])


ROUTES: Mapping[Dialect, Callable[[Route], Route]] = {Dialect.C_CORE: _without_timeout, Dialect.RUST: _rust_route}
"""What is done to routes."""

CLUSTERS: Mapping[Dialect, Callable[[Cluster], Cluster]] = {
    Dialect.C_CORE: _without_least_request,
    Dialect.NODE: _without_least_request,
    Dialect.RUST: _rust_cluster,
}
"""What is done to clusters."""

CHANGED = frozenset({*ROUTES, *CLUSTERS, Dialect.ENVOY})
"""The dialects whose resources may differ from those of all others; Envoy's differ only in how they are spelled."""
