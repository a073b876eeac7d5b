"""Everything that one checkout declares, checked as a whole: names, contracts, languages and who calls whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from gossamer_mesh.declare import document as documents
from gossamer_mesh.declare import entry as entries
from gossamer_mesh.declare import kit as kits
from gossamer_mesh.declare import service as services
from gossamer_mesh.declare import settings as settings_
from gossamer_mesh.declare.document import Document, Mistake
from gossamer_mesh.declare.entry import Entry
from gossamer_mesh.declare.kit import Kit
from gossamer_mesh.declare.service import Service
from gossamer_mesh.declare.settings import Settings
from gossamer_mesh.errors import ConfigurationProblem

MARK = "gossamer.yaml"
IMAGE = Path("gen", "contracts.binpb")


class DeclarationProblem(ConfigurationProblem):
    """What is declared can't be followed. Its message has a line for each mistake."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = sorted(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checkout: where it is, its settings, its services and kits by name, its traffic policy, its contracts."""

    root: Path
    settings: Settings
    services: dict[str, Service]
    kits: dict[str, Kit]
    entries: tuple[Entry, ...]

    @property
    def image(self) -> Path:
        """The file with the descriptors of all contracts."""
        return self.root / IMAGE


def find_root(start: Path | None = None) -> Path:
    """Find the checkout that a folder lies in.

    Raises:
        ConfigurationProblem: no folder above holds gossamer.yaml.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / MARK).is_file():
            return folder
    raise ConfigurationProblem(f"no {MARK} in {start} or above it; go to the folder of a checkout")


def load_settings(root: Path) -> Settings:
    """Read only how the stack of a checkout is run, so that a running one can be reached whatever else is wrong.

    Raises:
        DeclarationProblem: gossamer.yaml or an environment variable is off.
    """
    main = documents.read(root / MARK, root)
    settings = settings_.read(main, root)
    if main.mistakes:
        raise DeclarationProblem(main.mistakes)
    return settings


def load(root: Path, environment: Mapping[str, str] | None = None) -> Workspace:
    """Read everything that a checkout declares, and the environment that overrides it; by default our own.

    Raises:
        DeclarationProblem: with all mistakes of all files and variables.
    """
    main = documents.read(root / MARK, root)
    settings = settings_.read(main, root, environment)
    kit_documents = [documents.read(path, root) for path in sorted(root.glob("kits/*/kit.yaml"))]
    found_kits = [kits.read(each, (root / each.file).parent) for each in kit_documents]
    service_documents = [documents.read(path, root) for path in sorted(root.glob("services/*/service.yaml"))]
    found = [(each, services.read(each, (root / each.file).parent)) for each in service_documents]
    known_kits = {kit.folder.name: kit for kit in found_kits}
    _check(found, known_kits, _contracts(root, main))
    found_entries = list(entries.read(root))
    documents_ = (main, *kit_documents, *service_documents, *(document for document, _ in found_entries))
    mistakes = [mistake for each in documents_ for mistake in each.mistakes]
    if mistakes:
        raise DeclarationProblem(mistakes)
    return Workspace(
        root=root,
        settings=settings,
        kits=known_kits,
        services={service.name: service for _, service in found},
        entries=tuple(entry for _, entry in found_entries),
    )


def _contracts(root: Path, main: Document) -> set[str]:
    """Name every protobuf service in the image of the contracts."""
    try:
        image = FileDescriptorSet.FromString((root / IMAGE).read_bytes())
    except (OSError, DecodeError) as error:
        main.wrong("", f"{IMAGE} can't be read ({error}); run: make protos")
        return set()
    return {f"{file.package}.{service.name}" for file in image.file for service in file.service}


def _check(found: list[tuple[Document, Service]], known_kits: dict[str, Kit], contracts: set[str]) -> None:
    """Note what is wrong between files."""
    names = {service.folder.name for _, service in found}
    owners: dict[str, str] = {}
    for document, service in found:
        if service.language and service.language not in known_kits:
            document.wrong("language", f"unknown language {service.language!r}; known: {', '.join(sorted(known_kits))}")
        for contract in service.contracts:
            if contracts and contract not in contracts:
                document.wrong("contracts", f"no contract {contract!r} in protos/; if it is new, run: make protos")
            if contract in owners:
                document.wrong("contracts", f"{contract!r} is served by {owners[contract]!r} already")
            owners.setdefault(contract, service.folder.name)
        for callee in sorted(set(service.calls) - names):
            document.wrong("calls", f"unknown service {callee!r}; known: {', '.join(sorted(names))}")
    calls = {service.folder.name: service.calls for _, service in found}
    for document, service in found:
        if (cycle := _cycle(service.folder.name, calls)) and min(cycle) == service.folder.name:
            document.wrong("calls", f"services may not call each other in a circle: {' -> '.join(cycle)}")


def _cycle(start: str, calls: dict[str, tuple[str, ...]]) -> list[str]:
    """Find a way from a service back to itself; empty when there is none."""
    paths = [[start]]
    seen = set()
    while paths:
        path = paths.pop()
        for callee in calls.get(path[-1], ()):
            if callee == start:
                return [*path, callee]
            if callee not in seen:
                seen.add(callee)
                paths.append([*path, callee])
    return []
