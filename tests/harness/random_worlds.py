"""Worlds by chance: services, their instances, and legal Consul entries that send their calls to and fro.

Services come in groups of three, whose entries lead to one another. Redirects and splits to other services lead only to
later ones of the group, since Consul refuses circles.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from .evaluator import Call, Registered, World
from .instance import CONTRACT

LETTERS = "abc"
MOST_INSTANCES = 4

PATHS = (
    f"/{CONTRACT}/Echo",
    f"/{CONTRACT}/Wait",
    f"/{CONTRACT}/Count",
    "/shop.random.v1.RandomService/Get",
    "/shop.random.v1.RandomService/GetAll",
    "/shop.random.v2.RandomService/Get",
    "/other.Service/Get",
)
HEADERS = ("x-a", "x-b", "x-user")
VALUES = ("one", "two", "twofold", "Two", "fortwo", "three", "3")
SUBSETS = ("v1", "v2", "gold", "rest")
RING_HEADER = "x-user"


def names(letter: str) -> list[str]:
    """Name who can answer for the services of a letter; those of all groups share them."""
    return [f"{letter}{number}" for number in range(MOST_INSTANCES)]


class Dice:
    """Makes one world."""

    def __init__(self, seed: int, groups: int) -> None:
        self._random = Random(seed)
        self._groups = groups
        self._defined: dict[str, list[str]] = {}
        """By service: its subsets."""

    def world(self) -> World:
        """Throw the dice for everything."""
        services = [f"group{number}-{letter}" for number in range(self._groups) for letter in LETTERS]
        instances = [each for service in services for each in self._instances(service)]
        self._defined = {service: self._some(SUBSETS, 0.6) for service in services}
        resolvers = [self._resolver(service) for service in services if self._defined[service] or self._often(0.5)]
        written = [
            *resolvers,
            *(self._splitter(service) for service in services if self._often(0.45)),
            *(self._router(service) for service in services if self._often(0.6)),
            *self._protocols(),
            *([self._caller_defaults()] if self._often(0.7) else []),
        ]
        by_regex = {each["Name"] for each in written if "PathRegex" in str(each)}
        faults = {service: self._faults(methods=service not in by_regex) for service in services if self._often(0.2)}
        return World(written, instances, faults, self._mesh_defaults())

    def calls(self, service: str, routes: Sequence[Mapping[str, Any]]) -> list[Call]:
        """Make calls of a service: some that its routes are for, and some that are like them."""
        meant = [self._call(service, (route.get("Match") or {}).get("HTTP") or {}) for route in routes]
        return [*dict.fromkeys([*meant, *(self._call(service, {}) for _ in range(4))])]

    def _call(self, service: str, http: Mapping[str, Any]) -> Call:
        path = http.get("PathExact") or self._one(PATHS)
        if prefix := http.get("PathPrefix"):
            path = self._one([path for path in PATHS if path.startswith(prefix)])
        headers = {name: self._one(VALUES) for name in HEADERS if self._often(0.4)}
        for header in http.get("Header") or ():
            kind = next(iter(header.keys() & {"Exact", "Prefix", "Suffix"}), None)
            headers[header["Name"].lower()] = header[kind] if kind else self._one(VALUES)
        return Call(service, path, tuple(sorted(headers.items())))

    def _instances(self, service: str) -> Iterator[Registered]:
        letter = service[-1]
        for name in self._some(names(letter), self._one((0.0, 0.7, 0.7, 0.7, 1.0, 1.0))):
            yield Registered(
                name=name,
                service=service,
                meta={
                    "version": self._one(("v1", "v2", "v3")),
                    "tier": self._one(("gold", "silver", "goldsmith")),
                    "zone": self._one(("local", "far", "")),
                    "contracts": self._one((CONTRACT, "", "")),
                },
                status=self._one(("passing",) * 5 + ("warning", "critical")),
                weights={"Passing": self._one((1, 1, 1, 3)), "Warning": self._one((1, 2))},
            )

    def _resolver(self, service: str) -> dict[str, Any]:
        subsets = {name: self._subset(name) for name in self._defined[service]}
        entry: dict[str, Any] = {"Kind": "service-resolver", "Name": service, "Subsets": subsets}
        if self._often(0.15) and (later := self._later(service)):
            return {**entry, "Redirect": self._place(self._one(later), empty=False)}
        if subsets and self._often(0.3):
            entry["DefaultSubset"] = self._one([*subsets])
        if self._often(0.6):
            keys = self._some(["*", *subsets], 0.5)
            entry["Failover"] = {key: self._failover(service) for key in keys}
        if self._often(0.4):
            entry["LoadBalancer"] = self._balancer()
        if self._often(0.2):
            entry["ConnectTimeout"] = self._one(("3s", "15s"))
        if self._often(0.2):
            entry["RequestTimeout"] = self._one(("30s", "1m"))
        return entry

    def _subset(self, name: str) -> dict[str, Any]:
        filters = {
            "v1": ("Service.Meta.version == v1", 'Service.Meta.version == "v1"'),
            "v2": ("Service.Meta.version == v2 or Service.Meta.version == v3", 'not Service.Meta.version == "v1"'),
            "gold": ("Service.Meta.tier == gold and Service.Meta.version != v3", "Service.Meta.tier contains gold"),
            "rest": ("", "not (Service.Meta.tier == gold or Service.Meta.version == v1) and Service.Meta.zone != far"),
        }
        return {"Filter": self._one(filters[name]), **({"OnlyPassing": True} if self._often(0.3) else {})}

    def _failover(self, service: str) -> dict[str, Any]:
        if self._often(0.4):
            return {
                "Targets": [self._place(self._one(self._group(service))) for _ in range(self._random.randint(1, 3))]
            }
        return self._place(self._one(self._group(service)), own=service)

    def _balancer(self) -> dict[str, Any]:
        policy = self._one(("round_robin", "random", "least_request", "ring_hash", "ring_hash"))
        found: dict[str, Any] = {"Policy": policy}
        if policy == "ring_hash":
            found["HashPolicies"] = [{"Field": "header", "FieldValue": RING_HEADER}]
            if self._often(0.5):
                found["RingHashConfig"] = {"MinimumRingSize": 256, "MaximumRingSize": 512}
        if policy == "least_request" and self._often(0.5):
            found["LeastRequestConfig"] = {"ChoiceCount": self._one((2, 3))}
        return found

    def _splitter(self, service: str) -> dict[str, Any]:
        places = [{}, *({"ServiceSubset": subset} for subset in self._defined[service])]
        for later in self._later(service):
            places += [{"Service": later}, *({"Service": later, "ServiceSubset": s} for s in self._defined[later])]
        chosen = self._random.sample(places, self._random.randint(1, min(4, len(places))))
        weights = self._weights(len(chosen))
        splits = [{"Weight": weight, **place} for weight, place in zip(weights, chosen, strict=True)]
        return {"Kind": "service-splitter", "Name": service, "Splits": splits}

    def _weights(self, count: int) -> list[float]:
        """Make weights of whole hundredths, which add up to 100; some are 0."""
        cuts = sorted(self._one((0, 10_000, self._random.randint(0, 10_000), 5_000, 2_500)) for _ in range(count - 1))
        return [(end - begin) / 100 for begin, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]

    def _router(self, service: str) -> dict[str, Any]:
        return {
            "Kind": "service-router",
            "Name": service,
            "Routes": [self._route(service) for _ in range(self._random.randint(1, 6))],
        }

    def _route(self, service: str) -> dict[str, Any]:
        http: dict[str, Any] = {}
        kind = self._one(("PathExact", "PathPrefix", "PathRegex", "", ""))
        if kind == "PathExact":
            http[kind] = self._one(PATHS)
        elif kind == "PathPrefix":
            http[kind] = self._one(
                ("/", f"/{CONTRACT}/", f"/{CONTRACT}/E", "/shop.random", "/shop.random.v1.RandomService/G")
            )
        elif kind == "PathRegex":
            http[kind] = self._one(
                (r"/shop\.random\.v[12]\..*/Get", "/.*/Get(All)?", f"/{CONTRACT}/(Echo|Count)", "/o.*")
            )
        if headers := [self._header(name) for name in self._some(HEADERS, 0.4 if kind else 0.6)]:
            http["Header"] = headers
        route: dict[str, Any] = {"Match": {"HTTP": http}} if http else {}
        if self._often(0.9):
            route["Destination"] = self._destination(service)
        return route

    def _header(self, name: str) -> dict[str, Any]:
        kind = self._one(("Present", "Exact", "Prefix", "Suffix", "Regex"))
        values = {"Regex": ("t.*o", "[a-z]+", "(one|two|3)"), "Present": (True,), "Exact": VALUES}
        header = {"Name": self._one((name, name.title())), kind: self._one(values.get(kind, ("two", "t", "o", "Two")))}
        if self._often(0.3):
            header["Invert"] = True
        return header

    def _destination(self, service: str) -> dict[str, Any]:
        destination = self._place(self._one(self._group(service)), own=service)
        if self._often(0.2):
            destination["RequestTimeout"] = self._one(("30s", "2m"))
        if self._often(0.3):
            destination["NumRetries"] = self._one((1, 1, 1, 1, 4))
            destination["RetryOn"] = self._some(("unavailable", "cancelled", "internal", "connect-failure"), 0.5) or [
                "5xx"
            ]
        return destination

    def _protocols(self) -> Iterator[dict[str, Any]]:
        """Make the protocols of some groups: those that lead to one another need the same."""
        for number in range(self._groups):
            if self._often(0.3):
                protocol = self._one(("grpc", "http2", "http"))
                for letter in LETTERS:
                    yield {"Kind": "service-defaults", "Name": f"group{number}-{letter}", "Protocol": protocol}

    def _caller_defaults(self) -> dict[str, Any]:
        """Make limits that nobody comes near."""
        return {
            "Kind": "service-defaults",
            "Name": "client",
            "Protocol": "grpc",
            "UpstreamConfig": {
                "Defaults": {
                    "ConnectTimeoutMs": self._one((2000, 10_000)),
                    "Limits": {"MaxConcurrentRequests": self._one((500, 5000))},
                    "PassiveHealthCheck": {"Interval": "5s", "MaxFailures": 100},
                }
            },
        }

    def _faults(self, *, methods: bool) -> list[dict[str, Any]]:
        return [self._fault(methods=methods) for _ in range(self._random.randint(1, 3))]

    def _fault(self, *, methods: bool) -> dict[str, Any]:
        status = self._one(("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"))
        fault: dict[str, Any] = {"abort": {"status": status, "percent": self._one((0, 25, 50, 100))}}
        if methods and self._often(0.4):
            fault["method"] = self._one(PATHS)[1:]
        if self._often(0.5):
            fault["headers"] = {self._one(HEADERS): self._one(VALUES)}
        if self._often(0.4):
            fault["from"] = self._one(("client", "somebody"))
        if self._often(0.3):
            fault["delay"] = {"duration": "1ms"}
        return fault

    def _mesh_defaults(self) -> dict[str, Any]:
        return {
            **({"zones": self._one(("ignore", "prefer"))} if self._often(0.5) else {}),
            **({"retry": self._one((False, {"times": 1}))} if self._often(0.5) else {}),
            **({"timeout": "45s"} if self._often(0.3) else {}),
        }

    def _place(self, service: str, *, own: str = "", empty: bool = True) -> dict[str, Any]:
        """Name a service, maybe with a subset; the own one may go without its name."""
        place = {} if service == own and self._often(0.5) else {"Service": service}
        if self._defined[service] and (self._often(0.6) or not (place or empty)):
            place["ServiceSubset"] = self._one(self._defined[service])
        return place or {"Service": service}

    def _group(self, service: str) -> list[str]:
        return [f"{service[:-1]}{letter}" for letter in LETTERS]

    def _later(self, service: str) -> list[str]:
        return [each for each in self._group(service) if each > service]

    def _one(self, choices: Sequence[Any]) -> Any:
        return self._random.choice(choices)

    def _some(self, choices: Sequence[Any], share: float) -> list[Any]:
        return [each for each in choices if self._often(share)]

    def _often(self, share: float) -> bool:
        return self._random.random() < share
