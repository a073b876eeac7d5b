"""Reads OTLP requests from bytes, in both encodings. Pure: knows neither gRPC nor HTTP.

Follows the OTLP specification 1.10 (https://opentelemetry.io/docs/specs/otlp/). Its JSON is protobuf's JSON but for
trace and span ids, which are hexadecimal instead of base64.
"""

import binascii
import json
from base64 import b64encode
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

MAX_PAYLOAD: Final = 4 * 2**20
"""Bytes of one request after decompression; also gRPC's own default."""

MAX_DEPTH: Final = 100
"""How deep JSON may be nested; protobuf's own limit for its binary encoding."""

_ID_FIELDS: Final = frozenset(
    {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"},
)

_JSON_FAULTS: Final = (
    json_format.ParseError,
    # what protobuf's conversions let through for numbers and types that fit no field
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

Request = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest
RequestT = TypeVar("RequestT", bound=Request)
Response = ExportTraceServiceResponse | ExportMetricsServiceResponse | ExportLogsServiceResponse


class Malformed(ValueError):  # noqa: N818 - an adjective of the payload, as in the specification
    """The payload is no OTLP request. The sender must not send it again."""


class Encoding(Enum):
    """How a payload is written; the value is its media type over HTTP."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal(Generic[RequestT]):
    """One kind of telemetry: its messages and its names on the wire."""

    name: str
    request: type[RequestT]
    response: type[Response]

    @property
    def service(self) -> str:
        """The gRPC service's full name."""
        package, _, message = self.request.DESCRIPTOR.full_name.rpartition(".")
        return f"{package}.{message.removeprefix('Export').removesuffix('Request')}"

    @property
    def path(self) -> str:
        """The HTTP path."""
        return f"/v1/{self.name}"


TRACES: Final = Signal(name="traces", request=ExportTraceServiceRequest, response=ExportTraceServiceResponse)
METRICS: Final = Signal(name="metrics", request=ExportMetricsServiceRequest, response=ExportMetricsServiceResponse)
LOGS: Final = Signal(name="logs", request=ExportLogsServiceRequest, response=ExportLogsServiceResponse)
SIGNALS: Final = (TRACES, METRICS, LOGS)


def decode(signal: Signal[RequestT], payload: bytes, encoding: Encoding) -> RequestT:
    """Read a request.

    Raises:
        Malformed: the payload is not a request of this signal in this encoding.
    """
    if encoding is Encoding.JSON:
        return _decode_json(signal, payload)
    message = signal.request()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        expected = f"expected a protobuf {signal.request.__name__}"
        raise Malformed(f"{expected}, found {len(payload)} bytes that are none") from error
    return message


def encode(message: Any, encoding: Encoding) -> bytes:
    """Write a response or a status."""
    if encoding is Encoding.PROTOBUF:
        return bytes(message.SerializeToString())
    return json_format.MessageToJson(message, indent=None).encode()


def trace_response(rejected: int, reason: str) -> ExportTraceServiceResponse:
    """Say how many spans were rejected, and why; nothing if none was."""
    if not rejected:
        return ExportTraceServiceResponse()
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=reason)
    return ExportTraceServiceResponse(partial_success=partial)


def malformed(reason: str) -> status_pb2.Status:
    """Give the status of a payload that can't be read."""
    return status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=reason)


def unavailable(reason: str, retry_seconds: int) -> status_pb2.Status:
    """Give the status that asks a sender to come again."""
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message=reason)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=retry_seconds)))
    return status


def count(request: Request) -> int:
    """Count the spans, metric data points or log records of a request."""
    if isinstance(request, ExportTraceServiceRequest):
        return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    if isinstance(request, ExportLogsServiceRequest):
        return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
    metrics = (m for resource in request.resource_metrics for scope in resource.scope_metrics for m in scope.metrics)
    return sum(len(getattr(metric, kind).data_points) for metric in metrics if (kind := metric.WhichOneof("data")))


def _decode_json(signal: Signal[RequestT], payload: bytes) -> RequestT:
    message = signal.request()
    try:
        fields = _binary_ids(json.loads(payload))
        if not isinstance(fields, dict):
            raise TypeError(f"an object, found {type(fields).__name__}")
        json_format.ParseDict(fields, message, ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH)
    except _JSON_FAULTS as error:
        found = " ".join(str(error).split())[:300]
        raise Malformed(f"expected the JSON of an {signal.request.__name__}: {found}") from error
    return message


def _binary_ids(node: Any) -> Any:
    """Replace hexadecimal ids by the base64 that protobuf's JSON wants; what is no hexadecimal becomes empty."""
    if isinstance(node, list):
        return [_binary_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _base64(value) if key in _ID_FIELDS else _binary_ids(value) for key, value in node.items()}


def _base64(identifier: Any) -> str:
    try:
        return b64encode(binascii.unhexlify(identifier)).decode()
    except (ValueError, TypeError):
        return ""
