"""Calls any method of any gRPC server by what the server itself tells through reflection. JSON in, JSON out.

Owns no stub. Reflection follows grpc.reflection.v1alpha, which every server of the mesh speaks beside v1.
"""

import difflib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from gossamer_mesh.errors import Problem, UsageProblem

DESCRIBES_WITHIN_S = 10.0
DETAILS = {
    f"google.rpc.{name}": getattr(error_details_pb2, name)
    for name in ("ErrorInfo", "BadRequest", "RetryInfo", "PreconditionFailure", "ResourceInfo", "Help")
}


@dataclass(kw_only=True)
class Refusal(Exception):  # noqa: N818 - the server refused; nothing went wrong here
    """A call that ended with another status than OK.

    Attributes:
        status: the code's name, such as "NOT_FOUND".
        message: what the server said.
        details: the google.rpc details, as JSON values.
    """

    status: str
    message: str
    details: list[dict[str, Any]]


class Server:
    """What one server serves, as it tells itself."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, _Deadline()))
        self._pool = DescriptorPool(self._database)

    def method(self, name: str) -> MethodDescriptor:
        """Find a method by its name, alone or behind its contract's: ListProducts, CatalogService/ListProducts.

        Raises:
            Problem: the server does not answer.
            UsageProblem: there is no such method, or several; with those that there are.
        """
        try:
            contracts = [self._pool.FindServiceByName(each) for each in self._database.get_services() if _is_own(each)]
        except grpc.RpcError as error:
            raise Problem(
                f"the server can't be asked for its methods: {error.code().name}: {error.details()}"
            ) from error
        except KeyError as error:
            raise Problem(f"the server does not describe what it serves: {error}") from error
        methods = {f"{contract.full_name}/{each.name}": each for contract in contracts for each in contract.methods}
        wanted = name.lstrip("/")
        found = [
            each for full, each in methods.items() if full == wanted or full.endswith((f"/{wanted}", f".{wanted}"))
        ]
        if not found and "/" not in wanted:  # shop.catalog.v1.CatalogService.ListProducts, as some write it
            found = [each for each in methods.values() if each.full_name == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            full = ", ".join(full for full, each in methods.items() if each in found)
            raise UsageProblem(f"{name!r} is served by several contracts: {full}; write it in full")
        raise UsageProblem(f"no method {name!r}; {_hint(name, contracts)}")

    def call(
        self,
        method: MethodDescriptor,
        texts: str,
        *,
        metadata: Sequence[tuple[str, str]] = (),
        timeout: float,
        channel: grpc.Channel | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Call a method and give each response as JSON values.

        Args:
            method: as found by method().
            texts: the request as JSON; for a client stream any number of JSON objects one after the other.
            metadata: sent with the call.
            timeout: in seconds.
            channel: to call through, when it is not the one that was asked for the methods.

        Raises:
            UsageProblem: the JSON does not fit the request.
            Refusal: the server answered with another status than OK.
        """
        requests = list(self._requests(method, texts))
        answer = message_factory.GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        channel = channel or self._channel
        kinds: dict[tuple[bool, bool], Callable[..., Any]] = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        kind = kinds[method.client_streaming, method.server_streaming]
        multicallable = kind(path, request_serializer=_serialized, response_deserializer=answer.FromString)
        request = iter(requests) if method.client_streaming else requests[0]
        try:
            answers = multicallable(request, timeout=timeout, metadata=metadata)
            for response in answers if method.server_streaming else [answers]:
                yield json_format.MessageToDict(
                    response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
                )
        except grpc.RpcError as error:
            raise _refusal(error) from error

    def _requests(self, method: MethodDescriptor, texts: str) -> Iterable[Message]:
        kind = message_factory.GetMessageClass(method.input_type)
        values = list(_values(texts))
        if not method.client_streaming and len(values) != 1:
            raise UsageProblem(f"{method.name} takes one JSON object, found {len(values)}")
        for value in values:
            if not isinstance(value, dict):
                raise UsageProblem(f"the JSON does not fit {method.input_type.full_name}: it must be an object {{...}}")
            try:
                yield json_format.ParseDict(value, kind())
            except json_format.ParseError as error:
                fields = ", ".join(field.name for field in method.input_type.fields) or "none"
                (reason, *_) = str(error).splitlines()
                raise UsageProblem(
                    f"the JSON does not fit {method.input_type.full_name}: {reason} Its fields: {fields}"
                ) from error


class _Details(NamedTuple):
    """A call's details, as grpc.ClientCallDetails describes them."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Deadline(grpc.StreamStreamClientInterceptor):
    """Gives every question to reflection a deadline, since the descriptor database sets none."""

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """Go on with the same call and a deadline."""
        details = client_call_details
        return continuation(
            _Details(
                method=details.method,
                timeout=DESCRIBES_WITHIN_S,
                metadata=details.metadata,
                credentials=details.credentials,
                wait_for_ready=details.wait_for_ready,
                compression=details.compression,
            ),
            request_iterator,
        )


def _is_own(contract: str) -> bool:
    """Tell a server's own contracts from health and reflection, which some servers list and do not describe."""
    return not contract.startswith("grpc.reflection.")


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _values(texts: str) -> Iterator[Any]:
    """Read JSON objects that stand one after the other."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(texts):
        if texts[position].isspace():
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(texts, position)
        except ValueError as error:
            raise UsageProblem(
                f'the request is not JSON: {error}; write it in single quotes: \'{{"id": "x"}}\''
            ) from error
        except RecursionError as error:
            raise UsageProblem("the request is nested too deeply") from error
        yield value


def _hint(name: str, contracts: Sequence[ServiceDescriptor]) -> str:
    own = [each for each in contracts if not each.full_name.startswith("grpc.")]
    names = [method.name for each in own for method in each.methods]
    near = difflib.get_close_matches(name.rpartition("/")[2], names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return "there are: " + ", ".join(names)


def _refusal(error: grpc.RpcError) -> Refusal:
    details = []
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        kind = DETAILS.get(packed.TypeName())
        detail = kind() if kind else None
        if detail is not None and packed.Unpack(detail):
            values = json_format.MessageToDict(detail, preserving_proto_field_name=True)
            details.append({"@type": packed.TypeName(), **values})
    return Refusal(status=error.code().name, message=error.details() or "", details=details)


def elapsed_ms(began: float) -> float:
    """Give the milliseconds since a moment of time.perf_counter()."""
    return (time.perf_counter() - began) * 1000
