"""What a source of discovery tells: services and their instances. No addresses are judged here, no policy applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from gossamer_mesh.model.address import address, canonical
from gossamer_mesh.model.entries import Entries


class Health(Enum):
    """Whether an instance gets calls: only `PASSING` and `WARNING` ones do."""

    PASSING = "passing"
    WARNING = "warning"
    CRITICAL = "critical"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One running process of a service."""

    id: str
    host: str
    """An IP literal in its shortest form, if clients are to reach it (`policy` refuses the rest)."""
    port: int
    health: Health = Health.PASSING
    health_output: str = ""
    """What its failing or warning checks said; empty when all pass."""
    version: str = ""
    zone: str = ""
    language: str = ""
    contracts: tuple[str, ...] = ()
    """Full names of the contracts it says it serves, sorted."""
    weight: int = 1
    """Its share of the calls, in proportion to the others'."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", canonical(self.host))  # once, for all who compare addresses

    @property
    def address(self) -> str:
        """`host:port`, with the host in brackets when it is an IPv6 literal."""
        return address(self.host, self.port)

    @property
    def callable(self) -> bool:
        """Whether it gets calls."""
        return self.health in {Health.PASSING, Health.WARNING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One deployable unit with a name."""

    name: str
    instances: tuple[Instance, ...] = ()
    """In the order of their ids. None: the service was there once, and whoever knows it must not lose it."""
    contracts: tuple[str, ...] = ()
    """What its instances serve, or served last, sorted."""

    @classmethod
    def of(cls, name: str, instances: Iterable[Instance]) -> "Service":
        """Make a service of these instances, in order, with the contracts that any of them serves."""
        ordered = tuple(sorted(instances, key=lambda instance: instance.id))
        contracts = {contract for instance in ordered for contract in instance.contracts}
        return cls(name=name, instances=ordered, contracts=tuple(sorted(contracts)))

    def find(self, instance_id: str) -> Instance | None:
        """Find the instance of that id, if it is one of this service."""
        return next((instance for instance in self.instances if instance.id == instance_id), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mesh:
    """All services, by name, in the order of their names."""

    services: Mapping[str, Service] = field(default_factory=lambda: MappingProxyType({}))
    entries: Entries = field(default_factory=Entries)
    """What people have written about traffic, also of services that have no instance."""

    @classmethod
    def of(cls, services: Iterable[Service], entries: Entries | None = None) -> "Mesh":
        """Make a mesh of these services, with nothing written about traffic unless it is given."""
        ordered = sorted(services, key=lambda service: service.name)
        named = MappingProxyType({service.name: service for service in ordered})
        return cls(services=named, entries=entries or Entries())

    @property
    def present(self) -> tuple[Service, ...]:
        """The services that have at least one registered instance, in the order of their names."""
        return tuple(service for service in self.services.values() if service.instances)

    def find(self, service: str, instance_id: str) -> Instance | None:
        """Find the instance of that id of that service, if there is one."""
        found = self.services.get(service)
        return found.find(instance_id) if found else None

    def remembering(self, earlier: "Mesh") -> "Mesh":
        """Add, without instances, every service that an earlier mesh knew and this one has no instance of.

        Such a service keeps the contracts it had last, so that of what its clients hold only the endpoints change.
        """
        gone = {
            name: replace(known, instances=()) if known.instances else known
            for name, known in earlier.services.items()
            if not ((now := self.services.get(name)) and now.instances)
        }
        return Mesh.of({**self.services, **gone}.values(), self.entries) if gone else self
