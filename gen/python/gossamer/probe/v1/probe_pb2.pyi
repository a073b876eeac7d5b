import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAIL_MODE_UNSPECIFIED: _ClassVar[FailMode]
    FAIL_MODE_STATUS: _ClassVar[FailMode]
    FAIL_MODE_DOMAIN: _ClassVar[FailMode]
    FAIL_MODE_UNEXPECTED: _ClassVar[FailMode]
    FAIL_MODE_PANIC: _ClassVar[FailMode]

class CallMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_METHOD_UNSPECIFIED: _ClassVar[CallMethod]
    CALL_METHOD_ECHO: _ClassVar[CallMethod]
    CALL_METHOD_WAIT: _ClassVar[CallMethod]
    CALL_METHOD_COUNT: _ClassVar[CallMethod]
    CALL_METHOD_SUM: _ClassVar[CallMethod]
    CALL_METHOD_CHAT: _ClassVar[CallMethod]
    CALL_METHOD_FAIL: _ClassVar[CallMethod]
    CALL_METHOD_REFUSED: _ClassVar[CallMethod]
FAIL_MODE_UNSPECIFIED: FailMode
FAIL_MODE_STATUS: FailMode
FAIL_MODE_DOMAIN: FailMode
FAIL_MODE_UNEXPECTED: FailMode
FAIL_MODE_PANIC: FailMode
CALL_METHOD_UNSPECIFIED: CallMethod
CALL_METHOD_ECHO: CallMethod
CALL_METHOD_WAIT: CallMethod
CALL_METHOD_COUNT: CallMethod
CALL_METHOD_SUM: CallMethod
CALL_METHOD_CHAT: CallMethod
CALL_METHOD_FAIL: CallMethod
CALL_METHOD_REFUSED: CallMethod

class Hop(_message.Message):
    __slots__ = ("service", "instance", "language", "remaining", "metadata", "trace_id")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    service: str
    instance: str
    language: str
    remaining: _duration_pb2.Duration
    metadata: _containers.ScalarMap[str, str]
    trace_id: str
    def __init__(self, service: _Optional[str] = ..., instance: _Optional[str] = ..., language: _Optional[str] = ..., remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., trace_id: _Optional[str] = ...) -> None: ...

class EchoRequest(_message.Message):
    __slots__ = ("payload", "response_padding")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_PADDING_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    response_padding: int
    def __init__(self, payload: _Optional[bytes] = ..., response_padding: _Optional[int] = ...) -> None: ...

class EchoResponse(_message.Message):
    __slots__ = ("payload", "hop", "padding")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    hop: Hop
    padding: bytes
    def __init__(self, payload: _Optional[bytes] = ..., hop: _Optional[_Union[Hop, _Mapping]] = ..., padding: _Optional[bytes] = ...) -> None: ...

class RelayRequest(_message.Message):
    __slots__ = ("services", "last_wait")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    LAST_WAIT_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedScalarFieldContainer[str]
    last_wait: _duration_pb2.Duration
    def __init__(self, services: _Optional[_Iterable[str]] = ..., last_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RelayResponse(_message.Message):
    __slots__ = ("hops",)
    HOPS_FIELD_NUMBER: _ClassVar[int]
    hops: _containers.RepeatedCompositeFieldContainer[Hop]
    def __init__(self, hops: _Optional[_Iterable[_Union[Hop, _Mapping]]] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("duration", "key", "ignore_cancellation")
    DURATION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    key: str
    ignore_cancellation: bool
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., key: _Optional[str] = ..., ignore_cancellation: _Optional[bool] = ...) -> None: ...

class WaitResponse(_message.Message):
    __slots__ = ("cancelled", "hop", "waiting")
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    cancelled: int
    hop: Hop
    waiting: int
    def __init__(self, cancelled: _Optional[int] = ..., hop: _Optional[_Union[Hop, _Mapping]] = ..., waiting: _Optional[int] = ...) -> None: ...

class CallRequest(_message.Message):
    __slots__ = ("service", "method", "first", "wait", "abandon")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    service: str
    method: CallMethod
    first: WaitRequest
    wait: WaitRequest
    abandon: bool
    def __init__(self, service: _Optional[str] = ..., method: _Optional[_Union[CallMethod, str]] = ..., first: _Optional[_Union[WaitRequest, _Mapping]] = ..., wait: _Optional[_Union[WaitRequest, _Mapping]] = ..., abandon: _Optional[bool] = ...) -> None: ...

class CallResponse(_message.Message):
    __slots__ = ("hop", "failure")
    HOP_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    hop: Hop
    failure: CallFailure
    def __init__(self, hop: _Optional[_Union[Hop, _Mapping]] = ..., failure: _Optional[_Union[CallFailure, _Mapping]] = ...) -> None: ...

class CallFailure(_message.Message):
    __slots__ = ("code", "message", "reason", "domain", "fields")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    domain: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., domain: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ...) -> None: ...

class FailRequest(_message.Message):
    __slots__ = ("mode", "code", "every", "only_instance")
    MODE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    ONLY_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    mode: FailMode
    code: int
    every: int
    only_instance: str
    def __init__(self, mode: _Optional[_Union[FailMode, str]] = ..., code: _Optional[int] = ..., every: _Optional[int] = ..., only_instance: _Optional[str] = ...) -> None: ...

class FailResponse(_message.Message):
    __slots__ = ("hop",)
    HOP_FIELD_NUMBER: _ClassVar[int]
    hop: Hop
    def __init__(self, hop: _Optional[_Union[Hop, _Mapping]] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("to", "interval")
    TO_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    to: int
    interval: _duration_pb2.Duration
    def __init__(self, to: _Optional[int] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class SumRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class SumResponse(_message.Message):
    __slots__ = ("sum", "count")
    SUM_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    sum: int
    count: int
    def __init__(self, sum: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class ChatRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ChatResponse(_message.Message):
    __slots__ = ("text", "instance")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    instance: str
    def __init__(self, text: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...
