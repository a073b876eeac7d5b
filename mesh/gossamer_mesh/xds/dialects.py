"""What is planned -> what those who follow it can follow of it (xds.md 7.3 to 7.5). Nothing is spelled here.

What a dialect does not change is equal to what came, so that its resources are those of everybody else.

| dialect | what is changed, and why |
|---------|--------------------------|
| C-core  | no timeouts: they fire up to two seconds early (grpc #40633); least request is not there |
| Node    | least request is not there: the list that asks for it falls back to one that ignores weights |
| Rust    | one level, since all are called at once; no ring, which is refused; least request is what it does anyway; |
|         | no faults and limits, which are ignored |

Rust's library also calls endpoints that refuse, so that it would fail less with a retry on every route. It gets none
that others don't: what may not be called again is never called again, whatever the language.

Where a kit makes the attempts, its library makes one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from gossamer_mesh.model import Balance, Cluster, Route
from gossamer_mesh.xds.views import Dialect, Follower


def routes_followed(routes: tuple[Route, ...], follower: Follower) -> tuple[Route, ...]:
    """Give the routes without what the library gets wrong, and without what is above it for a kit."""
    changes = [_once if follower.by_kit else _always, *filter(None, [ROUTES.get(follower.dialect)])]
    for change in changes:
        routes = tuple(map(change, routes))
    return routes


def cluster_followed(cluster: Cluster, dialect: Dialect) -> Cluster:
    """Give the cluster without what clients of the dialect get wrong."""
    change = CLUSTERS.get(dialect)
    return change(cluster) if change else cluster


def _once(route: Route) -> Route:
    """Leave the attempts to the kit."""
    return replace(route, retry=None, attempt_timeout=None, by_kit=False) if route.by_kit else route


def _always(route: Route) -> Route:
    """Leave out what is for kits, so that it makes no other resource."""
    return replace(route, attempt_timeout=None, by_kit=False) if route.by_kit else route


def _without_timeout(route: Route) -> Route:
    return replace(route, timeout=None) if route.timeout is not None else route


def _without_least_request(cluster: Cluster) -> Cluster:
    return replace(cluster, balance=Balance.ROUND_ROBIN) if cluster.balance is Balance.LEAST_REQUEST else cluster


def _rust_route(route: Route) -> Route:
    return replace(route, fault=None) if route.fault else route


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
