"""What the contracts promise about their methods, read from the descriptor image of all contracts.

A method may be called again after a failure only if its contract says so with `idempotency_level`. What holds for calls
that are one request and one answer, such as a default timeout, is for unary methods only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
)
from google.protobuf.message import DecodeError

REPEATABLE = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})
"""The levels that allow a method to be called again."""


class ContractsError(Exception):
    """The image can't be used. The message says what was expected, what was found and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contracts:
    """The methods of all contracts, and what may be done to them. Paths are as `/package.Service/Method`."""

    repeatable: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the contract's full name: the methods that may be called again, in the order of the contract."""
    unary: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the contract's full name: the methods without a stream, in the order of the contract."""
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the contract's full name: all methods, in the order of the contract."""

    @classmethod
    def parse(cls, image: bytes) -> "Contracts":
        """Read a serialized FileDescriptorSet. Raises `ContractsError`."""
        try:
            files = FileDescriptorSet.FromString(image).file
        except DecodeError as error:
            raise ContractsError(
                f"expected a FileDescriptorSet of all contracts, found {len(image)} bytes that are none: {error}. "
                "Run `make protos`."
            ) from error
        return cls(
            repeatable=_methods(files, lambda method: method.options.idempotency_level in REPEATABLE),
            methods=_methods(files, lambda _: True),
            unary=_methods(files, lambda method: not (method.client_streaming or method.server_streaming)),
        )


def _methods(
    files: Iterable[FileDescriptorProto], wanted: Callable[[MethodDescriptorProto], bool]
) -> Mapping[str, tuple[str, ...]]:
    """Give the paths of the wanted methods of each contract."""
    contracts = ((f"{file.package}.{service.name}", service) for file in files for service in file.service)
    return MappingProxyType(
        {
            name: tuple(f"/{name}/{method.name}" for method in service.method if wanted(method))
            for name, service in contracts
        }
    )
