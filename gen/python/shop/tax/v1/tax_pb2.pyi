from buf.validate import validate_pb2 as _validate_pb2
from google.type import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rounding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUNDING_UNSPECIFIED: _ClassVar[Rounding]
    ROUNDING_LINE: _ClassVar[Rounding]
    ROUNDING_ORDER: _ClassVar[Rounding]
ROUNDING_UNSPECIFIED: Rounding
ROUNDING_LINE: Rounding
ROUNDING_ORDER: Rounding

class Line(_message.Message):
    __slots__ = ("id", "category", "net")
    ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    NET_FIELD_NUMBER: _ClassVar[int]
    id: str
    category: str
    net: _money_pb2.Money
    def __init__(self, id: _Optional[str] = ..., category: _Optional[str] = ..., net: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class QuoteRequest(_message.Message):
    __slots__ = ("lines", "country", "subdivision", "rounding")
    LINES_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    SUBDIVISION_FIELD_NUMBER: _ClassVar[int]
    ROUNDING_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[Line]
    country: str
    subdivision: str
    rounding: Rounding
    def __init__(self, lines: _Optional[_Iterable[_Union[Line, _Mapping]]] = ..., country: _Optional[str] = ..., subdivision: _Optional[str] = ..., rounding: _Optional[_Union[Rounding, str]] = ...) -> None: ...

class LineTax(_message.Message):
    __slots__ = ("id", "rate_percent", "tax", "gross")
    ID_FIELD_NUMBER: _ClassVar[int]
    RATE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    TAX_FIELD_NUMBER: _ClassVar[int]
    GROSS_FIELD_NUMBER: _ClassVar[int]
    id: str
    rate_percent: str
    tax: _money_pb2.Money
    gross: _money_pb2.Money
    def __init__(self, id: _Optional[str] = ..., rate_percent: _Optional[str] = ..., tax: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., gross: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class QuoteResponse(_message.Message):
    __slots__ = ("lines", "net", "tax", "gross", "rates_source", "rates_date")
    LINES_FIELD_NUMBER: _ClassVar[int]
    NET_FIELD_NUMBER: _ClassVar[int]
    TAX_FIELD_NUMBER: _ClassVar[int]
    GROSS_FIELD_NUMBER: _ClassVar[int]
    RATES_SOURCE_FIELD_NUMBER: _ClassVar[int]
    RATES_DATE_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LineTax]
    net: _money_pb2.Money
    tax: _money_pb2.Money
    gross: _money_pb2.Money
    rates_source: str
    rates_date: str
    def __init__(self, lines: _Optional[_Iterable[_Union[LineTax, _Mapping]]] = ..., net: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., tax: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., gross: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., rates_source: _Optional[str] = ..., rates_date: _Optional[str] = ...) -> None: ...
