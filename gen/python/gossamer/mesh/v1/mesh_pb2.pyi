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

class InstanceHealth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INSTANCE_HEALTH_UNSPECIFIED: _ClassVar[InstanceHealth]
    INSTANCE_HEALTH_PASSING: _ClassVar[InstanceHealth]
    INSTANCE_HEALTH_WARNING: _ClassVar[InstanceHealth]
    INSTANCE_HEALTH_CRITICAL: _ClassVar[InstanceHealth]
    INSTANCE_HEALTH_MAINTENANCE: _ClassVar[InstanceHealth]

class ResourceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOURCE_TYPE_UNSPECIFIED: _ClassVar[ResourceType]
    RESOURCE_TYPE_LISTENER: _ClassVar[ResourceType]
    RESOURCE_TYPE_ROUTE_CONFIGURATION: _ClassVar[ResourceType]
    RESOURCE_TYPE_CLUSTER: _ClassVar[ResourceType]
    RESOURCE_TYPE_CLUSTER_LOAD_ASSIGNMENT: _ClassVar[ResourceType]
INSTANCE_HEALTH_UNSPECIFIED: InstanceHealth
INSTANCE_HEALTH_PASSING: InstanceHealth
INSTANCE_HEALTH_WARNING: InstanceHealth
INSTANCE_HEALTH_CRITICAL: InstanceHealth
INSTANCE_HEALTH_MAINTENANCE: InstanceHealth
RESOURCE_TYPE_UNSPECIFIED: ResourceType
RESOURCE_TYPE_LISTENER: ResourceType
RESOURCE_TYPE_ROUTE_CONFIGURATION: ResourceType
RESOURCE_TYPE_CLUSTER: ResourceType
RESOURCE_TYPE_CLUSTER_LOAD_ASSIGNMENT: ResourceType

class Service(_message.Message):
    __slots__ = ("name", "contracts", "instances")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTRACTS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    name: str
    contracts: _containers.RepeatedScalarFieldContainer[str]
    instances: _containers.RepeatedCompositeFieldContainer[Instance]
    def __init__(self, name: _Optional[str] = ..., contracts: _Optional[_Iterable[str]] = ..., instances: _Optional[_Iterable[_Union[Instance, _Mapping]]] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ("id", "address", "health", "health_output", "version", "zone", "language")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    HEALTH_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    health: InstanceHealth
    health_output: str
    version: str
    zone: str
    language: str
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ..., health: _Optional[_Union[InstanceHealth, str]] = ..., health_output: _Optional[str] = ..., version: _Optional[str] = ..., zone: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[Service]
    next_page_token: str
    def __init__(self, services: _Optional[_Iterable[_Union[Service, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchServicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchServicesResponse(_message.Message):
    __slots__ = ("changed", "removed")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    changed: _containers.RepeatedCompositeFieldContainer[Service]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changed: _Optional[_Iterable[_Union[Service, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("complete", "version", "change_time", "age", "source", "source_error", "held_removals", "clients")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ERROR_FIELD_NUMBER: _ClassVar[int]
    HELD_REMOVALS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    version: int
    change_time: _timestamp_pb2.Timestamp
    age: _duration_pb2.Duration
    source: str
    source_error: str
    held_removals: _containers.RepeatedCompositeFieldContainer[HeldRemoval]
    clients: int
    def __init__(self, complete: _Optional[bool] = ..., version: _Optional[int] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., source: _Optional[str] = ..., source_error: _Optional[str] = ..., held_removals: _Optional[_Iterable[_Union[HeldRemoval, _Mapping]]] = ..., clients: _Optional[int] = ...) -> None: ...

class HeldRemoval(_message.Message):
    __slots__ = ("service", "instances_before", "instances_after")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_BEFORE_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_AFTER_FIELD_NUMBER: _ClassVar[int]
    service: str
    instances_before: int
    instances_after: int
    def __init__(self, service: _Optional[str] = ..., instances_before: _Optional[int] = ..., instances_after: _Optional[int] = ...) -> None: ...

class ListClientsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListClientsResponse(_message.Message):
    __slots__ = ("clients", "next_page_token")
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    clients: _containers.RepeatedCompositeFieldContainer[Client]
    next_page_token: str
    def __init__(self, clients: _Optional[_Iterable[_Union[Client, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Client(_message.Message):
    __slots__ = ("node_id", "user_agent", "peer", "connect_time", "subscriptions")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    user_agent: str
    peer: str
    connect_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[Subscription]
    def __init__(self, node_id: _Optional[str] = ..., user_agent: _Optional[str] = ..., peer: _Optional[str] = ..., connect_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[Subscription, _Mapping]]] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("type", "names", "wildcard", "sent_version", "accepted_version", "refusal", "refusals")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    WILDCARD_FIELD_NUMBER: _ClassVar[int]
    SENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    type: ResourceType
    names: _containers.RepeatedScalarFieldContainer[str]
    wildcard: bool
    sent_version: str
    accepted_version: str
    refusal: str
    refusals: int
    def __init__(self, type: _Optional[_Union[ResourceType, str]] = ..., names: _Optional[_Iterable[str]] = ..., wildcard: _Optional[bool] = ..., sent_version: _Optional[str] = ..., accepted_version: _Optional[str] = ..., refusal: _Optional[str] = ..., refusals: _Optional[int] = ...) -> None: ...

class AwaitDrainRequest(_message.Message):
    __slots__ = ("service", "instance_id", "max_wait")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    service: str
    instance_id: str
    max_wait: _duration_pb2.Duration
    def __init__(self, service: _Optional[str] = ..., instance_id: _Optional[str] = ..., max_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AwaitDrainResponse(_message.Message):
    __slots__ = ("drained", "waiting_for")
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    drained: bool
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, drained: _Optional[bool] = ..., waiting_for: _Optional[_Iterable[str]] = ...) -> None: ...
