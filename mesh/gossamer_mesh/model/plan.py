"""What clients of one service are told, in our own words: `policy` decides it, `xds` spells it."""

from dataclasses import dataclass

from gossamer_mesh.model.address import address


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """How often a failed call is tried again, and after which statuses (lower case, as `unavailable`)."""

    on: tuple[str, ...]
    times: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Calls of one method, and whether they are tried again."""

    path: str | None
    """`/package.Service/Method`; none: every call that no earlier route takes."""
    retry: Retry | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where calls can go."""

    host: str
    """An IP literal."""
    port: int
    zone: str = ""

    @property
    def address(self) -> str:
        """`host:port`, with the host in brackets when it is an IPv6 literal."""
        return address(self.host, self.port)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that the clients of one service are told."""

    service: str
    routes: tuple[Route, ...] = (Route(path=None),)
    """The first that matches is taken; the last takes all."""
    endpoints: tuple[Endpoint, ...] = ()
    """In order, each address once. None: calls are refused at once."""
