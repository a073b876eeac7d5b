"""What clients of one service are told, in our own words: `policy` decides it, `xds` spells it.

A plan is a list of routes, and the clusters that they lead to. A cluster is a set of instances that calls are spread
over, in levels: the second is called when nobody of the first can be, and so on.
"""

from dataclasses import dataclass, field
from enum import Enum

from gossamer_mesh.model.address import address

WHOLE = 10_000
"""What the shares of a route add up to: hundredths of a percent, the finest step that Consul knows."""


class HeaderIs(Enum):
    """How a header is compared."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    REGEX = "regex"
    PRESENT = "present"


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A condition on one header (in gRPC's words: one key of the metadata)."""

    name: str
    """In lower case."""
    is_: HeaderIs
    value: str = ""
    """Empty for `PRESENT`."""
    invert: bool = False


class PathIs(Enum):
    """How the path of a call, `/package.Service/Method`, is compared."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """Which calls a route takes: those for which all of it holds."""

    is_: PathIs = PathIs.PREFIX
    path: str = ""
    """As a prefix, the empty text holds for every path."""
    headers: tuple[Header, ...] = ()

    @property
    def all(self) -> bool:
        """Whether it holds for every call."""
        return self == Match()


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """How often a failed call is tried again, and after which statuses (lower case, as `unavailable`)."""

    on: tuple[str, ...]
    times: int
    """1 to 4: gRPC makes at most five attempts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryBudget:
    """How many calls may be tried again, in proportion to all: so that retries don't make an overload worse."""

    percent: float
    """Retries for each hundred calls of the last ten seconds."""
    min_per_second: float = 10.0
    """Retries a second that are allowed anyway."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """Calls that are held up before they are sent."""

    seconds: float
    percent: float = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Abort:
    """Calls that fail without being sent."""

    status: int
    """As gRPC numbers them."""
    percent: float = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is done on purpose to some calls of a route."""

    delay: Delay | None = None
    abort: Abort | None = None
    source: str = ""
    """Which entry says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of a route's calls go to a cluster."""

    cluster: str
    weight: int = WHOLE
    """In hundredths of a percent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Some calls, where they go, and what is done to them."""

    match: Match = Match()
    to: tuple[Share, ...]
    """None with a weight of 0."""
    timeout: float | None = None
    """Seconds that a call may take, all attempts together."""
    retry: Retry | None = None
    attempt_timeout: float | None = None
    """Seconds that one attempt may take: for kits, since no library knows it. Only where `by_kit` is set."""
    by_kit: bool = False
    """Whether a kit is to make the attempts, where the caller has one that does, instead of its library: all calls are
    unary, and what they are tried again by is more than a library can do."""
    hash_on: tuple[str, ...] = ()
    """Headers whose values decide which instance is called, where the cluster is balanced by a ring."""
    fault: Fault | None = None
    source: str = ""
    """Which entry says so, for example `service-router/catalog Routes[0]`; empty: nobody did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where calls can go."""

    host: str
    """An IP literal."""
    port: int
    zone: str = ""
    weight: int = 1
    """Its share of the calls of its level, in proportion to the others'."""

    @property
    def address(self) -> str:
        """`host:port`, with the host in brackets when it is an IPv6 literal."""
        return address(self.host, self.port)


class Balance(Enum):
    """How calls are spread over the endpoints of a level."""

    ROUND_ROBIN = "round_robin"
    LEAST_REQUEST = "least_request"
    RING_HASH = "ring_hash"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlier:
    """When an endpoint that fails too much is left alone for a while (gRFC A50: failure percentage)."""

    interval: float = 10.0
    """Seconds between two looks."""
    base_ejection: float = 30.0
    """Seconds of the first ejection; further ones last longer."""
    max_ejection_percent: int = 10
    threshold: int = 85
    """Percent of failed calls from which an endpoint is ejected."""
    minimum_hosts: int = 1
    request_volume: int = 5
    """Calls within an interval below which an endpoint is not judged."""
    enforcing: int = 100
    """Percent of the ejections that are carried out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A set of instances that calls are spread over."""

    name: str
    balance: Balance = Balance.ROUND_ROBIN
    ring_size: tuple[int, int] = (1024, 4096)
    """The least and the most, for `RING_HASH`."""
    choices: int = 2
    """How many are compared, for `LEAST_REQUEST`."""
    max_requests: int | None = None
    """The most calls that a client has open at once."""
    outlier: Outlier | None = None
    connect_timeout: float = 5.0
    """Seconds that a connection may take."""
    levels: tuple[tuple[Endpoint, ...], ...] = ()
    """In order of preference, none empty, each address once in all of them. None: calls are refused at once."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those of all levels."""
        return tuple(endpoint for level in self.levels for endpoint in level)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that the clients of one service are told."""

    service: str
    routes: tuple[Route, ...] = ()
    """The first that matches is taken; the last takes all. None: all calls go to the cluster of the service's name."""
    retry_budget: RetryBudget | None = None
    """Of all routes together, for kits."""
    clusters: tuple[Cluster, ...] = field(default=())
    """All that the routes lead to, and always the one of the service's name; each once."""
