"""How calls are refused: by the rules that are written in the contract, and with a reason for programs."""

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

DOMAIN = "gossamer.mesh.v1"


async def require_valid(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Abort the call if the request breaks a rule of its contract."""
    # 13 MB that a control plane nobody asks does without; in a thread, because streams must not wait for 0.2 s
    protovalidate = await asyncio.to_thread(importlib.import_module, "protovalidate")
    violations = protovalidate.collect_violations(request)
    if violations:
        await refuse(context, {_path(violation.proto.field): violation.proto.message for violation in violations})


async def refuse(context: grpc.aio.ServicerContext[Any, Any], reasons: Mapping[str, str]) -> NoReturn:
    """Abort the call with INVALID_ARGUMENT, and what is wrong with each of these fields."""
    fields = [BadRequest.FieldViolation(field=field, description=reason) for field, reason in reasons.items()]
    message = "; ".join(f"{field.field}: {field.description}" for field in fields)
    violations = BadRequest(field_violations=fields)
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", message, violations)


async def abort(
    context: grpc.aio.ServicerContext[Any, Any],
    code: grpc.StatusCode,
    reason: str,
    message: str,
    *details: Message,
    metadata: Mapping[str, str] | None = None,
) -> NoReturn:
    """Abort the call with a status whose ErrorInfo has this reason and metadata, and with more details."""
    status = Status(code=code.value[0], message=message)
    for detail in (ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata), *details):
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError  # never reached: aborting raises


def _path(field: Any) -> str:
    """Write a field path as protos spell it: `a.b`, `list[0]`, `map["key"]`."""
    return ".".join(element.field_name + _subscript(element) for element in field.elements)


def _subscript(element: Any) -> str:
    if not element.subscript:
        return ""
    key = element.subscript.value
    return f'["{key}"]' if isinstance(key, str) else f"[{key}]"
