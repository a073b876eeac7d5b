"""What a program reads of a call that a service refused."""

from typing import NamedTuple

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status


class Refusal(NamedTuple):
    """Status, reason, paths of the fields to blame, and metadata of the reason."""

    code: grpc.StatusCode
    reason: str
    fields: list[str]
    metadata: dict[str, str]


def refusal(error: grpc.RpcError, domain: str) -> Refusal:
    """Read an error. Fails when it has no details, or those of another domain."""
    status = rpc_status.from_call(error)
    assert status, error
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(bad)
    assert info.domain == domain
    return Refusal(
        error.code(), info.reason, [violation.field for violation in bad.field_violations], dict(info.metadata)
    )
