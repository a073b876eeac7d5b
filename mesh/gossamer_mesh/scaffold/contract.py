"""What a contract says: one protobuf service of a file in protos/, with its methods. Asks buf, which also lints it."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from gossamer_mesh.errors import Problem
from gossamer_mesh.scaffold import names, starter, tools

FOLDER = "protos"
SERVICES = FileDescriptorProto.SERVICE_FIELD_NUMBER
STUBS_WITHIN_S = 600


@dataclass(frozen=True, kw_only=True)
class Method:
    """One RPC: its name, its messages, and who streams."""

    name: str
    request: str
    response: str
    client_streams: bool
    server_streams: bool

    @property
    def shape(self) -> str:
        """One of unary, server_stream, client_stream, bidirectional."""
        one_way = "client_stream" if self.client_streams else "unary"
        other = "bidirectional" if self.client_streams else "server_stream"
        return other if self.server_streams else one_way


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One protobuf service.

    Attributes:
        file: where it is written, below protos/.
        package: such as shop.catalog.v1.
        name: such as CatalogService.
        summary: the first sentence that is written above it.
        types: the names of all messages, enums and services of the file.
    """

    file: str
    package: str
    name: str
    summary: str
    types: frozenset[str]
    methods: tuple[Method, ...]

    @property
    def full_name(self) -> str:
        """Such as shop.catalog.v1.CatalogService."""
        return f"{self.package}.{self.name}"


def locate(root: Path, path: Path) -> str:
    """Give where a file lies below protos/.

    Raises:
        Problem: it is not there, or elsewhere than contracts of services.
    """
    home = root / FOLDER / starter.CONTEXT
    if not path.is_file() or path.suffix != ".proto":
        raise Problem(f"expected a .proto file, found none at {path}")
    if not path.resolve().is_relative_to(home.resolve()):
        raise Problem(
            f"{path} must lie in {FOLDER}/{starter.CONTEXT}/, at the path of its package; a contract is imported, never"
            f" copied: {FOLDER}/{starter.CONTEXT}/loyalty/v1/loyalty.proto for shop.loyalty.v1"
        )
    return path.resolve().relative_to((root / FOLDER).resolve()).as_posix()


def lint(root: Path, file: str) -> None:
    """Have a contract linted, as `make lint` does.

    Raises:
        Problem: it does not lint; with every line that buf says.
    """
    done = _buf(root, "lint", "--path", f"{FOLDER}/{file}")
    if done.returncode != 0:
        raise Problem(f"the contract does not lint; mend it and try again:\n{tools.said(done)}")


def compiled(root: Path) -> tuple[Contract, ...]:
    """Give all contracts of services, in the order of their files.

    Raises:
        Problem: they do not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        paths = ("--path", f"{FOLDER}/{starter.CONTEXT}")
        done = _buf(root, "build", *paths, "--as-file-descriptor-set", "-o", str(image))
        if done.returncode != 0:
            raise Problem(f"the contracts do not compile:\n{tools.said(done)}")
        files = FileDescriptorSet.FromString(image.read_bytes()).file
    return tuple(
        _contract(file, service, place)
        for file in files
        if file.package.startswith(f"{starter.CONTEXT}.")
        for place, service in enumerate(file.service)
    )


def one_of(contracts: tuple[Contract, ...], file: str) -> Contract:
    """Give the one contract of a file.

    Raises:
        Problem: it holds none or several, or one that no template can follow.
    """
    found = [each for each in contracts if each.file == file]
    if len(found) != 1:
        told = ", ".join(each.name for each in found) or "none"
        raise Problem(f"expected one service in {FOLDER}/{file}, found {told}; a service's folder serves one contract")
    contract = found[0]
    if not contract.methods:
        raise Problem(f"{contract.full_name} has no RPC yet; add one to {FOLDER}/{file}")
    for method in contract.methods:
        for name in (contract.name, method.name, method.request, method.response):
            if names.SPELLED_DIFFERENTLY.search(name):
                raise Problem(
                    f"expected a capital letter behind a digit, found {name} in {FOLDER}/{file}; languages spell it "
                    "differently"
                )
        if "/" in method.request + method.response:
            raise Problem(
                f"{method.name}: expected the messages of an RPC beside it in {FOLDER}/{file}, found "
                f"{method.request.rpartition('/')[2]} and {method.response.rpartition('/')[2]}; move them there"
            )
    return contract


def generate(root: Path) -> None:
    """Have stubs made in every language, as `make protos` does.

    Raises:
        Problem: a tool is missing, or a contract is refused.
    """
    command = [sys.executable, str(root / "codegen" / "protos.py")]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=STUBS_WITHIN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Problem(
            f"stubs were not made within {STUBS_WITHIN_S} s; run it by hand to see why: make protos"
        ) from error
    if done.returncode != 0:
        said = re.sub(r"(?m)^protos\s+", "", tools.said(done))
        raise Problem(f"stubs can't be made: {said}", done.returncode)


def _contract(file: FileDescriptorProto, service: ServiceDescriptorProto, place: int) -> Contract:
    own = {f".{file.package}.{message.name}": message.name for message in file.message_type}
    above = next((each for each in file.source_code_info.location if list(each.path) == [SERVICES, place]), None)
    sentence = re.split(r"(?<=\.)\s", " ".join((above.leading_comments if above else "").split()))[0]
    return Contract(
        file=file.name,
        package=file.package,
        name=service.name,
        summary=sentence,
        types=frozenset([*_types(file), *(each.name for each in file.service)]),
        methods=tuple(
            Method(
                name=method.name,
                request=own.get(method.input_type, f"/{method.input_type.lstrip('.')}"),
                response=own.get(method.output_type, f"/{method.output_type.lstrip('.')}"),
                client_streams=method.client_streaming,
                server_streams=method.server_streaming,
            )
            for method in service.method
        ),
    )


def _types(scope: FileDescriptorProto | DescriptorProto) -> Iterator[str]:
    messages = scope.message_type if isinstance(scope, FileDescriptorProto) else scope.nested_type
    yield from (each.name for each in scope.enum_type)
    for message in messages:
        yield message.name
        yield from _types(message)


def _buf(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.prefix) / "bin" / "buf"
    if not program.is_file():
        raise Problem(f"buf is needed to read contracts, and not at {program}; run: make tools")
    return tools.run([program, *words], root)
