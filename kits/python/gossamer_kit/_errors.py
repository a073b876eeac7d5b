"""The kit's errors. It owns what each means, and never how it is sent.

    KitError            what keeps a service from starting
      ConfigError       the environment is wrong: every bad variable is named; exit status 64
      BindError         the address to listen on can't be had; exit status 1
    Error               an answer to a caller, raised by an adapter: the only one a caller ever sees

Whatever else a handler raises is unexpected: the caller learns that it failed, the log learns why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import grpc


class KitError(Exception):
    """What keeps a service from starting. Its text says what was expected, what was found and what to do."""

    exit_status = 1


class ConfigError(KitError):
    """The environment is wrong. `problems` has one line for each bad variable."""

    exit_status = 64

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("bad configuration:\n" + "\n".join(f"  {problem}" for problem in problems))


class BindError(KitError):
    """The address to listen on can't be had."""


class Error(Exception):
    """A failure that the caller is told about as google.rpc.Status.

    `reason` (UPPER_SNAKE) becomes ErrorInfo.reason; its domain is the package of the contract that was called.
    `fields` (proto path, such as `items[0].quantity`, to description) becomes BadRequest; `metadata` is ErrorInfo's.
    """

    def __init__(
        self,
        status: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.fields = tuple(fields.items() if hasattr(fields, "items") else fields)
        self.metadata = dict(metadata or {})
