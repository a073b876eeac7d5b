"""A service's compiled discovery chain -> its routes, and what its clusters are made of. No instances yet.

Consul has joined routers, splitters, resolvers and redirects already: a chain is at most a router whose routes lead to
splitters or resolvers, and splitters whose splits lead to resolvers.
https://developer.hashicorp.com/consul/api-docs/discovery-chain
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gossamer_mesh.model import Audience, Cluster, Entries, Match, PathIs, RetryBudget, Route, Share, pattern
from gossamer_mesh.model.plan import WHOLE
from gossamer_mesh.policy import clusters, extras, matches, retries
from gossamer_mesh.policy.defaults import Defaults, defaults
from gossamer_mesh.policy.extras import WrittenFault
from gossamer_mesh.policy.refusals import Refusals
from gossamer_mesh.policy.targets import Target, name_of, target_of

PROTOCOLS = ("grpc", "http2", "http")


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """A cluster without its endpoints, and whose instances it is made of, in order of preference."""

    cluster: Cluster
    targets: tuple[Target, ...]
    zones: bool = False
    """Whether instances of the caller's zone come first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """All of a plan but the instances."""

    routes: tuple[Route, ...]
    aims: tuple[Aim, ...]
    retry_budget: RetryBudget | None = None
    """Of all routes together, for kits."""


class Methods(NamedTuple):
    """Paths of methods, as `/package.Service/Method`."""

    repeatable: frozenset[str] = frozenset()
    """Those that may be called again."""
    unary: frozenset[str] = frozenset()
    """Those without a stream."""


def shape(
    service: str,
    methods: Callable[[Iterable[str]], Methods],
    entries: Entries,
    audience: Audience,
    refusals: Refusals,
) -> Shape:
    """Decide where the calls of a service go, for the clients of an audience.

    Args:
        service: its name.
        methods: gives the methods of some services.
        entries: what people wrote.
        audience: who asks.
        refusals: is told what can't be followed; the shape is then what is left, and better not used.
    """
    walk = _Walk(service, entries, audience, refusals)
    walked = list(walk.routes())
    aims = walk.aims()
    known = methods({target.service for aim in aims for target in aim.targets})
    routes = [spread for route in walked for spread in _with_defaults(route, known, walk.defaults(service))]
    faults = [each for each in extras.faults(entries, service, refusals) if each.caller in {"", audience.caller}]
    faulty = [spread for route in routes for spread in _with_faults(route, faults)]
    reached = {route.match: route for route in reversed(faulty)}  # of equal matches, the first takes every call
    return Shape(
        routes=tuple(route for route in faulty if reached[route.match] is route),
        aims=aims,
        retry_budget=walk.defaults(service).retry_budget,
    )


class _Walk:
    """One way through a chain, collecting the clusters that it comes by."""

    def __init__(self, service: str, entries: Entries, audience: Audience, refusals: Refusals) -> None:
        self._service = service
        self._entries = entries
        self._caller = audience.caller
        self._refusals = refusals
        self._chain = entries.chains.get(service) or {}
        self._aims: dict[str, Aim] = {}
        self._defaults: dict[str, Defaults] = {}
        protocol = self._chain.get("Protocol") or PROTOCOLS[0]
        if protocol not in PROTOCOLS:
            refusals.say(
                f"service-defaults/{service} Protocol",
                f"expected grpc, found {protocol!r}: set it here or in proxy-defaults",
            )

    def defaults(self, service: str) -> Defaults:
        """Give what holds for a service where no entry says otherwise."""
        if service not in self._defaults:
            self._defaults[service] = defaults(self._entries, service, self._refusals)
        return self._defaults[service]

    def routes(self) -> Iterator[Route]:
        """Give the routes in their order; the last takes all."""
        start = self._node(self._chain.get("StartNode", ""))
        if not start:
            yield Route(to=(Share(cluster=self._service),))
        elif start["Type"] == "router":
            owner = _owner(start)
            for index, route in enumerate(start["Routes"]):
                yield self._route(route, f"service-router/{owner} Routes[{index}]")
        else:
            yield self._to(Match(), start, _source(start))

    def aims(self) -> tuple[Aim, ...]:
        """Give every cluster that was come by, and always the service's own, in the order of their names."""
        own = self._aims.get(self._service) or Aim(
            cluster=Cluster(name=self._service), targets=(Target(self._service),)
        )
        every = {**self._aims, self._service: own}
        return tuple(self._limited(every[name]) for name in sorted(every))

    def _limited(self, aim: Aim) -> Aim:
        # of the service that the cluster is of, not the one that is called: what leads to it agrees on it
        own = self.defaults(aim.targets[0].service)
        cluster = replace(aim.cluster, outlier=aim.cluster.outlier or own.outlier)
        if written := self._entries.defaults.get(self._caller):
            subject = f"service-defaults/{self._caller}"
            cluster = clusters.limited(cluster, aim.targets[0].service, written, subject, self._refusals)
        return replace(aim, cluster=cluster, zones=own.zones)

    def _node(self, name: str) -> Mapping[str, Any]:
        return (self._chain.get("Nodes") or {}).get(name) or {}

    def _route(self, written: Mapping[str, Any], subject: str) -> Route:
        definition = written["Definition"]
        http = (definition.get("Match") or {}).get("HTTP") or {}
        destination = definition.get("Destination") or {}
        for field in ("PrefixRewrite", "IdleTimeout", "RequestHeaders", "ResponseHeaders"):
            if destination.get(field):
                self._refusals.say(f"{subject}.Destination.{field}", "gRPC clients can't do it: remove it")
        match = matches.match(http, f"{subject}.Match.HTTP", self._refusals)
        route = self._to(match, self._node(written["NextNode"]), subject)
        timeout = retries.seconds(destination.get("RequestTimeout"))
        retry = retries.retry(destination, f"{subject}.Destination", self._refusals)
        return replace(route, timeout=timeout or route.timeout, retry=retry)

    def _to(self, match: Match, node: Mapping[str, Any], source: str) -> Route:
        """Make a route to a splitter or a resolver."""
        legs: Sequence[Mapping[str, Any]] = node.get("Splits") or (
            {"Weight": 100, "NextNode": f"resolver:{node['Name']}"},
        )
        shares: dict[str, int] = {}
        timeouts, hashed = [], []
        for index, leg in enumerate(legs):
            self._refuse_headers(leg, f"service-splitter/{_owner(node)} Splits[{index}]")
            resolver = self._node(leg["NextNode"])
            if not (weight := round(leg.get("Weight", 0) * (WHOLE / 100))):
                continue
            name = self._resolve(resolver)
            shares[name] = shares.get(name, 0) + weight
            timeouts.append(retries.seconds(resolver["Resolver"].get("RequestTimeout")))
            hashed.append(self._hashed(resolver))
        if not shares:
            self._refusals.say(source, "all weights are 0: one of them has to be more")
            shares[self._service] = WHOLE
        return Route(
            match=match,
            to=tuple(Share(cluster=name, weight=weight) for name, weight in shares.items()),
            timeout=next((each for each in reversed(timeouts) if each), None),
            hash_on=next(filter(None, hashed), ()),
            source=source,
        )

    def _refuse_headers(self, leg: Mapping[str, Any], subject: str) -> None:
        for field in ("RequestHeaders", "ResponseHeaders"):
            if (leg.get("Definition") or {}).get(field):
                self._refusals.say(f"{subject}.{field}", "gRPC clients can't do it: remove it")

    def _resolve(self, node: Mapping[str, Any]) -> str:
        """Note the cluster of a resolver and give its name."""
        targets, resolver = self._chain["Targets"], node["Resolver"]
        own = targets[resolver["Target"]]
        name, subject = name_of(own), f"service-resolver/{own['Service']}"
        failover = (resolver.get("Failover") or {}).get("Targets") or ()
        if name not in self._aims:
            cluster = Cluster(name=name, connect_timeout=retries.seconds(resolver.get("ConnectTimeout")) or 5.0)
            balancer = node.get("LoadBalancer") or {}
            self._aims[name] = Aim(
                cluster=clusters.balanced(cluster, balancer, f"{subject} LoadBalancer", self._refusals),
                targets=tuple(
                    target_of(targets[each], self._chain, f"{subject} Failover", self._refusals)
                    for each in (resolver["Target"], *failover)
                ),
            )
        return name

    def _hashed(self, node: Mapping[str, Any]) -> tuple[str, ...]:
        service = self._chain["Targets"][node["Resolver"]["Target"]]["Service"]
        subject = f"service-resolver/{service} LoadBalancer"
        return clusters.hashed_on(node.get("LoadBalancer") or {}, subject, self._refusals)


def _owner(node: Mapping[str, Any]) -> str:
    """Name the service that a router or splitter belongs to: its name without namespace and partition."""
    return str(node["Name"]).rsplit(".", 2)[0]


def _source(node: Mapping[str, Any]) -> str:
    """Say which entry a chain begins with; empty when nobody wrote one."""
    if node["Type"] == "splitter":
        return f"service-splitter/{_owner(node)}"
    resolver = node["Resolver"]
    return "" if resolver.get("Default") else f"service-resolver/{node['Name'].split('.')[-4]}"


def _with_defaults(route: Route, methods: Methods, own: Defaults) -> Iterator[Route]:
    """Put before a route one for each of its methods that gets more than the route itself."""
    for path in sorted(methods.repeatable | methods.unary):
        if not _takes(route.match, path):
            continue
        special = replace(
            _with_more(route, path, methods, own), match=replace(route.match, is_=PathIs.EXACT, path=path)
        )
        if special.match == route.match:
            yield special
            return
        if replace(special, match=route.match) != route:
            yield special
    yield route


def _with_more(route: Route, path: str, methods: Methods, own: Defaults) -> Route:
    """Give the calls of one method what holds where nobody says otherwise."""
    retry = route.retry or (own.retry if path in methods.repeatable else None)
    if path not in methods.unary:
        return replace(route, retry=retry)
    return replace(
        route,
        retry=retry,
        timeout=own.timeout if route.timeout is None else route.timeout,
        attempt_timeout=own.attempt_timeout,
        by_kit=own.by_kit and (retry is not None or own.attempt_timeout is not None),
    )


def _takes(match: Match, path: str) -> bool:
    """Tell whether a match takes a path, other conditions aside."""
    if match.is_ is PathIs.EXACT:
        return match.path == path
    if match.is_ is PathIs.PREFIX:
        return path.startswith(match.path)
    return pattern.matches(match.path, path)


def _with_faults(route: Route, faults: list[WrittenFault]) -> Iterator[Route]:
    """Put before a route, for each fault, one that takes the calls that the fault is for."""
    for written in faults:
        match = replace(route.match, headers=(*route.match.headers, *written.headers))
        if written.path:
            if not _takes(route.match, written.path):
                continue
            match = replace(match, is_=PathIs.EXACT, path=written.path)
        yield replace(route, match=match, fault=written.fault)
        if match == route.match:
            return
    yield route
