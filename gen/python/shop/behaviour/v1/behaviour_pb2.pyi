import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_VIEW: _ClassVar[EventKind]
    EVENT_KIND_CART: _ClassVar[EventKind]
    EVENT_KIND_PURCHASE: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_VIEW: EventKind
EVENT_KIND_CART: EventKind
EVENT_KIND_PURCHASE: EventKind

class Event(_message.Message):
    __slots__ = ("kind", "product_id", "visitor_id", "time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    kind: EventKind
    product_id: str
    visitor_id: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[EventKind, str]] = ..., product_id: _Optional[str] = ..., visitor_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordEventsRequest(_message.Message):
    __slots__ = ("batch_id", "events")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, batch_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("recorded", "repeated", "ignored")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    repeated: int
    ignored: int
    def __init__(self, recorded: _Optional[int] = ..., repeated: _Optional[int] = ..., ignored: _Optional[int] = ...) -> None: ...

class TrendingRequest(_message.Message):
    __slots__ = ("limit", "window", "kind")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    limit: int
    window: _duration_pb2.Duration
    kind: EventKind
    def __init__(self, limit: _Optional[int] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., kind: _Optional[_Union[EventKind, str]] = ...) -> None: ...

class TrendingProduct(_message.Message):
    __slots__ = ("product_id", "events")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    events: int
    def __init__(self, product_id: _Optional[str] = ..., events: _Optional[int] = ...) -> None: ...

class TrendingResponse(_message.Message):
    __slots__ = ("products",)
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[TrendingProduct]
    def __init__(self, products: _Optional[_Iterable[_Union[TrendingProduct, _Mapping]]] = ...) -> None: ...

class WatchTrendingRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: TrendingRequest
    def __init__(self, query: _Optional[_Union[TrendingRequest, _Mapping]] = ...) -> None: ...

class WatchTrendingResponse(_message.Message):
    __slots__ = ("products",)
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[TrendingProduct]
    def __init__(self, products: _Optional[_Iterable[_Union[TrendingProduct, _Mapping]]] = ...) -> None: ...
