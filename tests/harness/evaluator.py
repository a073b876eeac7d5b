"""Where calls go, worked out from Consul's config entries alone: a second opinion, which shares no code with the mesh.

It is written from Consul's documentation, reads the entries as people write them, never the chains that Consul makes of
them, and knows only what gRPC callers can follow.

https://developer.hashicorp.com/consul/docs/reference/config-entry/service-router (service-splitter, service-resolver)
https://developer.hashicorp.com/consul/api-docs/features/filtering
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (what invert_match means)
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Entry = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Registered:
    """An instance, as it is registered."""

    name: str
    service: str
    meta: Mapping[str, str]
    status: str
    weights: Mapping[str, int]

    @property
    def weight(self) -> int:
        return self.weights["Warning" if self.status == "warning" else "Passing"]


class Call(NamedTuple):
    """What a client calls."""

    service: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


class Leg(NamedTuple):
    """A part of the calls, and who answers it: by name, in proportion. Nobody: they fail."""

    share: float
    answerers: Mapping[str, int]
    balance: str = ""
    """How they are chosen: by turns, in proportion to their weights, unless this says otherwise."""

    @property
    def even(self) -> bool:
        """Whether each gets its share: a ring sends equal calls to one; gRPC's least request has no weights."""
        return self.balance not in {"ring_hash", "least_request"}


@dataclass(frozen=True)
class World:
    """All that decides where calls go, as it is written to Consul."""

    entries: Sequence[Entry]
    instances: Sequence[Registered]
    faults: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By service: what is under gossamer/faults."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What is under gossamer/defaults."""


class Evaluator:
    """Answers for one caller in one zone."""

    def __init__(self, world: World, *, caller: str, zone: str) -> None:
        self._world = world
        self._caller = caller
        self._zone = zone
        self._by_kind = {(entry["Kind"], entry["Name"]): entry for entry in world.entries}

    def outcomes(self, call: Call) -> Mapping[str, float]:
        """Give the share of each answer: an instance's name, or a status as `!UNAVAILABLE`."""
        shares: defaultdict[str, float] = defaultdict(float)
        aborted, percent = self.abort(call)
        if percent:
            shares[aborted] += percent / 100
        for leg in self.legs(call):
            total = sum(leg.answerers.values())
            for name, weight in leg.answerers.items() if total else [("!UNAVAILABLE", 1)]:
                shares[name] += (1 - percent / 100) * leg.share * weight / (total or 1)
        return {answer: share for answer, share in shares.items() if share}

    def legs(self, call: Call) -> list[Leg]:
        """Give the parts that the calls are split into."""
        destination = self.destination(call)
        service = destination.get("Service") or call.service
        subset = destination.get("ServiceSubset") or ""
        return [self.leg(share, *place) for share, *place in self.split(service, subset)]

    def abort(self, call: Call) -> tuple[str, float]:
        """Say how calls are aborted, and how many percent of them."""
        for fault in self._world.faults.get(call.service, ()):
            headers = fault.get("headers") or {}
            if (
                fault.get("from", self._caller) == self._caller
                and f"/{fault.get('method', call.path[1:])}" == call.path
                and headers.items() <= dict(call.headers).items()
            ):
                abort = fault.get("abort") or {"status": "", "percent": 0}
                return f"!{abort['status']}", abort.get("percent", 100)
        return "", 0

    def destination(self, call: Call) -> Mapping[str, Any]:
        """Find where the first route leads that takes a call; without one, to the service itself."""
        for route in self.routes(call.service):
            if self.takes((route.get("Match") or {}).get("HTTP") or {}, call):
                return route.get("Destination") or {}
        return {}

    def routes(self, service: str) -> Sequence[Mapping[str, Any]]:
        """Give a service's routes in the order in which they are tried."""
        return list(self._entry("service-router", service).get("Routes") or ())

    def takes(self, http: Mapping[str, Any], call: Call) -> bool:
        if "PathExact" in http and call.path != http["PathExact"]:
            return False
        if "PathPrefix" in http and not call.path.startswith(http["PathPrefix"]):
            return False
        if "PathRegex" in http and not re.fullmatch(http["PathRegex"], call.path):
            return False
        return all(self.has(call, header) for header in http.get("Header") or ())

    def has(self, call: Call, header: Mapping[str, Any]) -> bool:
        """Tell whether a header is as it should be. One that isn't there is nothing, the other way round as well."""
        values = [value for name, value in call.headers if name.lower() == header["Name"].lower()]
        invert = header.get("Invert", False)
        if header.get("Present"):
            return bool(values) != invert
        if not values:
            return False
        return self.compares(",".join(values), header) != invert

    def compares(self, found: str, header: Mapping[str, Any]) -> bool:
        if "Regex" in header:
            return bool(re.fullmatch(header["Regex"], found))
        return (
            found == header.get("Exact")
            or ("Prefix" in header and found.startswith(header["Prefix"]))
            or ("Suffix" in header and found.endswith(header["Suffix"]))
        )

    def split(self, service: str, subset: str) -> Iterator[tuple[float, str, str]]:
        """Give the shares of calls to a service. A split to another service is split as that one's entry says."""
        splits = self._entry("service-splitter", service).get("Splits")
        if not splits or subset:
            yield 1.0, service, subset
            return
        for each in splits:
            leads, named = each.get("Service") or service, each.get("ServiceSubset") or ""
            if leads == service or named:
                yield each["Weight"] / 100, leads, named
                continue
            for share, *place in self.split(leads, ""):
                yield each["Weight"] / 100 * share, place[0], place[1]

    def leg(self, share: float, service: str, subset: str) -> Leg:
        service, subset = self.resolve(service, subset)
        resolver = self._entry("service-resolver", service)
        places = [(service, subset), *(self.resolve(*place) for place in self.failover(service, subset))]
        balance = (resolver.get("LoadBalancer") or {}).get("Policy", "")
        for place in places:
            for level in self.by_zone(self.members(*place)):
                if level:
                    return Leg(share, {each.name: each.weight for each in level}, balance)
        return Leg(share, {})

    def resolve(self, service: str, subset: str) -> tuple[str, str]:
        """Follow redirects and default subsets."""
        resolver = self._entry("service-resolver", service)
        if redirect := resolver.get("Redirect"):
            leads = redirect.get("Service") or service
            kept = subset if leads == service else ""
            return self.resolve(leads, redirect.get("ServiceSubset") or kept)
        return service, subset or resolver.get("DefaultSubset") or ""

    def failover(self, service: str, subset: str) -> Iterator[tuple[str, str]]:
        """Give who takes over, in order of preference."""
        written = self._entry("service-resolver", service).get("Failover") or {}
        failover = written.get(subset) or written.get("*") or {}
        for target in failover.get("Targets") or ([failover] if failover else []):
            leads = target.get("Service") or service
            yield leads, target.get("ServiceSubset") or (subset if leads == service else "")

    def members(self, service: str, subset: str) -> list[Registered]:
        """List the instances that get calls: not the critical ones, and maybe only those that pass."""
        written = (self._entry("service-resolver", service).get("Subsets") or {}).get(subset) or {}
        statuses = {"passing"} if written.get("OnlyPassing") else {"passing", "warning"}
        return [
            each
            for each in self._world.instances
            if each.service == service and each.status in statuses and chosen(written.get("Filter") or "", each)
        ]

    def by_zone(self, members: Sequence[Registered]) -> Iterator[list[Registered]]:
        """Give those of the caller's own zone first, where that is preferred."""
        near = self._world.defaults.get("zones") == "prefer"
        yield [each for each in members if not near or each.meta["zone"] == self._zone]
        yield [each for each in members if near and each.meta["zone"] != self._zone]

    def _entry(self, kind: str, service: str) -> Entry:
        return self._by_kind.get((kind, service)) or {}


def chosen(filter_: str, instance: Registered) -> bool:
    """Tell whether a filter selects an instance: comparisons of Service.Meta, joined by `and`, `or` and `not`."""
    tokens = re.findall(r'"[^"]*"|[()]|[^\s()]+', filter_)
    if not tokens:
        return True
    return _Filter(tokens, instance).either()


class _Filter:
    """Reads a filter from left to right: `or` binds less than `and`, and that less than `not`."""

    def __init__(self, tokens: list[str], instance: Registered) -> None:
        self._tokens = tokens
        self._instance = instance

    def either(self) -> bool:
        found = self.both()
        while self._skip("or"):
            found = self.both() or found
        return found

    def both(self) -> bool:
        found = self.one()
        while self._skip("and"):
            found = self.one() and found
        return found

    def one(self) -> bool:
        if self._skip("not"):
            return not self.one()
        if self._skip("("):
            found = self.either()
            assert self._skip(")")
            return found
        return self.comparison(self._tokens.pop(0))

    def comparison(self, selector: str) -> bool:
        found = self._instance.meta.get(selector.removeprefix("Service.Meta."), "")
        operator = self._tokens.pop(0)
        value = self._tokens.pop(0).strip('"')
        return {"==": found == value, "!=": found != value, "contains": value in found}[operator]

    def _skip(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == word:
            del self._tokens[0]
            return True
        return False
