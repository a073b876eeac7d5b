"""What the contracts promise about their methods, read from the descriptor image of all contracts.

A method may be called again after a failure only if its contract says so with `idempotency_level`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions
from google.protobuf.message import DecodeError

REPEATABLE = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})
"""The levels that allow a method to be called again."""


class ContractsError(Exception):
    """The image can't be used. The message says what was expected, what was found and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contracts:
    """The methods of all contracts that may be called again."""

    repeatable: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the contract's full name: paths as `/package.Service/Method`, in the order of the contract."""

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
            repeatable=MappingProxyType(
                {
                    f"{file.package}.{service.name}": tuple(
                        f"/{file.package}.{service.name}/{method.name}"
                        for method in service.method
                        if method.options.idempotency_level in REPEATABLE
                    )
                    for file in files
                    for service in file.service
                }
            )
        )
