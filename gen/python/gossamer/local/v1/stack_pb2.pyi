import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProcessState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROCESS_STATE_UNSPECIFIED: _ClassVar[ProcessState]
    PROCESS_STATE_WAITING: _ClassVar[ProcessState]
    PROCESS_STATE_BUILDING: _ClassVar[ProcessState]
    PROCESS_STATE_STARTING: _ClassVar[ProcessState]
    PROCESS_STATE_SERVING: _ClassVar[ProcessState]
    PROCESS_STATE_DRAINING: _ClassVar[ProcessState]
    PROCESS_STATE_BACKOFF: _ClassVar[ProcessState]
    PROCESS_STATE_FAILED: _ClassVar[ProcessState]
    PROCESS_STATE_STOPPED: _ClassVar[ProcessState]
    PROCESS_STATE_SKIPPED: _ClassVar[ProcessState]
PROCESS_STATE_UNSPECIFIED: ProcessState
PROCESS_STATE_WAITING: ProcessState
PROCESS_STATE_BUILDING: ProcessState
PROCESS_STATE_STARTING: ProcessState
PROCESS_STATE_SERVING: ProcessState
PROCESS_STATE_DRAINING: ProcessState
PROCESS_STATE_BACKOFF: ProcessState
PROCESS_STATE_FAILED: ProcessState
PROCESS_STATE_STOPPED: ProcessState
PROCESS_STATE_SKIPPED: ProcessState

class Process(_message.Message):
    __slots__ = ("name", "service", "state", "detail", "address", "pid", "start_time", "restarts", "memory_bytes", "last_lines", "language")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LAST_LINES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: str
    state: ProcessState
    detail: str
    address: str
    pid: int
    start_time: _timestamp_pb2.Timestamp
    restarts: int
    memory_bytes: int
    last_lines: _containers.RepeatedScalarFieldContainer[str]
    language: str
    def __init__(self, name: _Optional[str] = ..., service: _Optional[str] = ..., state: _Optional[_Union[ProcessState, str]] = ..., detail: _Optional[str] = ..., address: _Optional[str] = ..., pid: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restarts: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., last_lines: _Optional[_Iterable[str]] = ..., language: _Optional[str] = ...) -> None: ...

class Stack(_message.Message):
    __slots__ = ("name", "processes", "stopping", "addresses", "entries_left", "entries_refused")
    class AddressesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_LEFT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_REFUSED_FIELD_NUMBER: _ClassVar[int]
    name: str
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    stopping: bool
    addresses: _containers.ScalarMap[str, str]
    entries_left: _containers.RepeatedScalarFieldContainer[str]
    entries_refused: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ..., stopping: _Optional[bool] = ..., addresses: _Optional[_Mapping[str, str]] = ..., entries_left: _Optional[_Iterable[str]] = ..., entries_refused: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStackRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStackResponse(_message.Message):
    __slots__ = ("stack",)
    STACK_FIELD_NUMBER: _ClassVar[int]
    stack: Stack
    def __init__(self, stack: _Optional[_Union[Stack, _Mapping]] = ...) -> None: ...

class WatchStackRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchStackResponse(_message.Message):
    __slots__ = ("stack",)
    STACK_FIELD_NUMBER: _ClassVar[int]
    stack: Stack
    def __init__(self, stack: _Optional[_Union[Stack, _Mapping]] = ...) -> None: ...

class ApplyStackRequest(_message.Message):
    __slots__ = ("environment",)
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    environment: _containers.ScalarMap[str, str]
    def __init__(self, environment: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ApplyStackResponse(_message.Message):
    __slots__ = ("notes",)
    NOTES_FIELD_NUMBER: _ClassVar[int]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, notes: _Optional[_Iterable[str]] = ...) -> None: ...

class RestartProcessesRequest(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class RestartProcessesResponse(_message.Message):
    __slots__ = ("restarted",)
    RESTARTED_FIELD_NUMBER: _ClassVar[int]
    restarted: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, restarted: _Optional[_Iterable[str]] = ...) -> None: ...

class KillProcessRequest(_message.Message):
    __slots__ = ("name", "signal")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    signal: int
    def __init__(self, name: _Optional[str] = ..., signal: _Optional[int] = ...) -> None: ...

class KillProcessResponse(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: _Optional[int] = ...) -> None: ...

class ScaleServiceRequest(_message.Message):
    __slots__ = ("service", "replicas", "version")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    service: str
    replicas: int
    version: str
    def __init__(self, service: _Optional[str] = ..., replicas: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class ScaleServiceResponse(_message.Message):
    __slots__ = ("instances",)
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, instances: _Optional[_Iterable[str]] = ...) -> None: ...

class StopStackRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopStackResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
