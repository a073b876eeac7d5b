"""From errors to what goes over the wire: google.rpc.Status. The same reasons and fields in every language's kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossamer_kit._errors import Error


class Answer(NamedTuple):
    """How a failed call ends: what gRPC's `abort` takes."""

    code: StatusCode
    message: str
    trailers: tuple[tuple[str, bytes], ...]


def of_error(error: Error, domain: str) -> Answer:
    """Tell the caller what an adapter raised."""
    return _answer(error.status, error.message, error.reason, domain, error.fields, error.metadata)


def of_violations(fields: Iterable[tuple[str, str]], domain: str) -> Answer:
    """Tell the caller which fields break the contract's rules."""
    return _answer(
        StatusCode.INVALID_ARGUMENT,
        "invalid request",
        "INVALID_REQUEST",
        domain,
        tuple(fields),
        {},
    )


def of_unexpected(domain: str) -> Answer:
    """Tell the caller nothing but that it isn't to blame."""
    return _answer(StatusCode.INTERNAL, "internal error", "INTERNAL", domain, (), {})


def _answer(
    code: StatusCode,
    message: str,
    reason: str,
    domain: str,
    fields: tuple[tuple[str, str], ...],
    metadata: Mapping[str, str],
) -> Answer:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.append(_pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)))
    if fields:
        violations = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in fields]
        status.details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    return Answer(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


def _pack(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
