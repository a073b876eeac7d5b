"""Who asks, as far as it decides what it is told: which library, from where, of which service (xds.md 7.1 and 7.5)."""

from enum import Enum
from typing import NamedTuple

from gossamer_mesh.model import Audience
from gossamer_mesh.xds.node import Node

BY_KIT = "kit"
"""What a node says whose kit tries calls again."""


class Dialect(Enum):
    """What a client library understands of xDS. The value is how its user agent begins."""

    C_CORE = "gRPC C-core"
    """Python, and whatever else is built on gRPC's core."""
    RUST = "gRPC Rust"
    GO = "gRPC Go"
    JAVA = "gRPC Java"
    NODE = "gRPC Node"
    ENVOY = "envoy"
    OTHER = ""

    __hash__ = object.__hash__  # there is one of each; that of Enum is Python, and looked up for every client

    @classmethod
    def of(cls, user_agent: str) -> "Dialect":
        """Tell the dialect of a user agent."""
        return next(dialect for dialect in cls if user_agent.startswith(dialect.value))


class Follower(NamedTuple):
    """What follows the resources in a client: its library, and what is above it."""

    dialect: Dialect = Dialect.OTHER
    by_kit: bool = False
    """Whether a kit makes the attempts of the routes that are for kits, so that the library must not."""


class View(NamedTuple):
    """All that what a client is told depends on. Clients of equal views are told the same."""

    dialect: Dialect = Dialect.OTHER
    by_kit: bool = False
    """Whether the client's node says that its kit tries calls again."""
    zone: str = ""
    caller: str = ""
    """The service that the client is an instance of."""

    @classmethod
    def of(cls, node: Node) -> "View":
        """Tell the view of a node."""
        return cls(
            dialect=Dialect.of(node.user_agent),
            by_kit=node.retries == BY_KIT,
            zone=node.zone,
            caller=node.cluster,
        )

    @property
    def follower(self) -> Follower:
        """What `xds` knows of it."""
        return Follower(self.dialect, self.by_kit)

    def told_as(self, audience: Audience) -> "View":
        """Give the view of a client that is told what an audience is."""
        return self._replace(zone=audience.zone, caller=audience.caller)

    @property
    def audience(self) -> Audience:
        """What `policy` knows of it."""
        return Audience(zone=self.zone, caller=self.caller)
