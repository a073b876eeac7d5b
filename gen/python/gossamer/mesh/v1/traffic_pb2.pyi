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

class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_UNSPECIFIED: _ClassVar[Comparison]
    COMPARISON_EXACT: _ClassVar[Comparison]
    COMPARISON_PREFIX: _ClassVar[Comparison]
    COMPARISON_SUFFIX: _ClassVar[Comparison]
    COMPARISON_CONTAINS: _ClassVar[Comparison]
    COMPARISON_REGEX: _ClassVar[Comparison]
    COMPARISON_PRESENT: _ClassVar[Comparison]
COMPARISON_UNSPECIFIED: Comparison
COMPARISON_EXACT: Comparison
COMPARISON_PREFIX: Comparison
COMPARISON_SUFFIX: Comparison
COMPARISON_CONTAINS: Comparison
COMPARISON_REGEX: Comparison
COMPARISON_PRESENT: Comparison

class HeaderMatch(_message.Message):
    __slots__ = ("name", "comparison", "value", "invert")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    INVERT_FIELD_NUMBER: _ClassVar[int]
    name: str
    comparison: Comparison
    value: str
    invert: bool
    def __init__(self, name: _Optional[str] = ..., comparison: _Optional[_Union[Comparison, str]] = ..., value: _Optional[str] = ..., invert: _Optional[bool] = ...) -> None: ...

class CallMatch(_message.Message):
    __slots__ = ("path_comparison", "path", "headers")
    PATH_COMPARISON_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    path_comparison: Comparison
    path: str
    headers: _containers.RepeatedCompositeFieldContainer[HeaderMatch]
    def __init__(self, path_comparison: _Optional[_Union[Comparison, str]] = ..., path: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[HeaderMatch, _Mapping]]] = ...) -> None: ...

class Destination(_message.Message):
    __slots__ = ("service", "subset", "weight", "instances")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SUBSET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    service: str
    subset: str
    weight: int
    instances: int
    def __init__(self, service: _Optional[str] = ..., subset: _Optional[str] = ..., weight: _Optional[int] = ..., instances: _Optional[int] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("statuses", "times")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedScalarFieldContainer[str]
    times: int
    def __init__(self, statuses: _Optional[_Iterable[str]] = ..., times: _Optional[int] = ...) -> None: ...

class RetryBudget(_message.Message):
    __slots__ = ("percent", "min_per_second")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    MIN_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    percent: float
    min_per_second: float
    def __init__(self, percent: _Optional[float] = ..., min_per_second: _Optional[float] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("delay", "delay_percent", "abort_status", "abort_percent")
    DELAY_FIELD_NUMBER: _ClassVar[int]
    DELAY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    ABORT_STATUS_FIELD_NUMBER: _ClassVar[int]
    ABORT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    delay: _duration_pb2.Duration
    delay_percent: float
    abort_status: str
    abort_percent: float
    def __init__(self, delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., delay_percent: _Optional[float] = ..., abort_status: _Optional[str] = ..., abort_percent: _Optional[float] = ...) -> None: ...

class WrittenFault(_message.Message):
    __slots__ = ("caller", "method", "headers", "fault", "source")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CALLER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    caller: str
    method: str
    headers: _containers.ScalarMap[str, str]
    fault: Fault
    source: str
    def __init__(self, caller: _Optional[str] = ..., method: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., source: _Optional[str] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("match", "destinations", "timeout", "retry", "attempt_timeout", "retry_budget", "hash_on", "fault", "source", "summary")
    MATCH_FIELD_NUMBER: _ClassVar[int]
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_BUDGET_FIELD_NUMBER: _ClassVar[int]
    HASH_ON_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    match: CallMatch
    destinations: _containers.RepeatedCompositeFieldContainer[Destination]
    timeout: _duration_pb2.Duration
    retry: RetryPolicy
    attempt_timeout: _duration_pb2.Duration
    retry_budget: RetryBudget
    hash_on: _containers.RepeatedScalarFieldContainer[str]
    fault: Fault
    source: str
    summary: str
    def __init__(self, match: _Optional[_Union[CallMatch, _Mapping]] = ..., destinations: _Optional[_Iterable[_Union[Destination, _Mapping]]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., attempt_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry_budget: _Optional[_Union[RetryBudget, _Mapping]] = ..., hash_on: _Optional[_Iterable[str]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., source: _Optional[str] = ..., summary: _Optional[str] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("service", "subject", "reason")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    service: str
    subject: str
    reason: str
    def __init__(self, service: _Optional[str] = ..., subject: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("service", "routes", "refusals", "faults")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    service: str
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    faults: _containers.RepeatedCompositeFieldContainer[WrittenFault]
    def __init__(self, service: _Optional[str] = ..., routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., faults: _Optional[_Iterable[_Union[WrittenFault, _Mapping]]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("service", "caller", "zone")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    service: str
    caller: str
    zone: str
    def __init__(self, service: _Optional[str] = ..., caller: _Optional[str] = ..., zone: _Optional[str] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "caller", "zone")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    caller: str
    zone: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., caller: _Optional[str] = ..., zone: _Optional[str] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies", "next_page_token")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    next_page_token: str
    def __init__(self, policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListRefusalsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRefusalsResponse(_message.Message):
    __slots__ = ("refusals", "next_page_token")
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    next_page_token: str
    def __init__(self, refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CheckEntriesRequest(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[EntryFile]
    def __init__(self, files: _Optional[_Iterable[_Union[EntryFile, _Mapping]]] = ...) -> None: ...

class EntryFile(_message.Message):
    __slots__ = ("name", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class CheckEntriesResponse(_message.Message):
    __slots__ = ("findings",)
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[CheckFinding]
    def __init__(self, findings: _Optional[_Iterable[_Union[CheckFinding, _Mapping]]] = ...) -> None: ...

class CheckFinding(_message.Message):
    __slots__ = ("file", "subject", "reason")
    FILE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    file: str
    subject: str
    reason: str
    def __init__(self, file: _Optional[str] = ..., subject: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SetSplitRequest(_message.Message):
    __slots__ = ("service", "shares", "force")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    service: str
    shares: _containers.RepeatedCompositeFieldContainer[SplitShare]
    force: bool
    def __init__(self, service: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[SplitShare, _Mapping]]] = ..., force: _Optional[bool] = ...) -> None: ...

class SplitShare(_message.Message):
    __slots__ = ("version", "weight")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    version: str
    weight: float
    def __init__(self, version: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class SetSplitResponse(_message.Message):
    __slots__ = ("policy", "written")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    written: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., written: _Optional[_Iterable[str]] = ...) -> None: ...

class ClearSplitRequest(_message.Message):
    __slots__ = ("service", "force")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    service: str
    force: bool
    def __init__(self, service: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class ClearSplitResponse(_message.Message):
    __slots__ = ("policy", "written")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    written: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., written: _Optional[_Iterable[str]] = ...) -> None: ...

class SetFaultRequest(_message.Message):
    __slots__ = ("service", "caller", "method", "headers", "fault", "force")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    service: str
    caller: str
    method: str
    headers: _containers.ScalarMap[str, str]
    fault: Fault
    force: bool
    def __init__(self, service: _Optional[str] = ..., caller: _Optional[str] = ..., method: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., force: _Optional[bool] = ...) -> None: ...

class SetFaultResponse(_message.Message):
    __slots__ = ("policy", "written")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    written: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., written: _Optional[_Iterable[str]] = ...) -> None: ...

class ClearFaultsRequest(_message.Message):
    __slots__ = ("service", "force")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    service: str
    force: bool
    def __init__(self, service: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class ClearFaultsResponse(_message.Message):
    __slots__ = ("policy", "written")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    written: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., written: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchCallPoliciesRequest(_message.Message):
    __slots__ = ("services", "caller", "zone")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedScalarFieldContainer[str]
    caller: str
    zone: str
    def __init__(self, services: _Optional[_Iterable[str]] = ..., caller: _Optional[str] = ..., zone: _Optional[str] = ...) -> None: ...

class WatchCallPoliciesResponse(_message.Message):
    __slots__ = ("changed",)
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    changed: _containers.RepeatedCompositeFieldContainer[CallPolicy]
    def __init__(self, changed: _Optional[_Iterable[_Union[CallPolicy, _Mapping]]] = ...) -> None: ...

class CallPolicy(_message.Message):
    __slots__ = ("service", "rules", "retry_budget")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RETRY_BUDGET_FIELD_NUMBER: _ClassVar[int]
    service: str
    rules: _containers.RepeatedCompositeFieldContainer[CallRule]
    retry_budget: RetryBudget
    def __init__(self, service: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[CallRule, _Mapping]]] = ..., retry_budget: _Optional[_Union[RetryBudget, _Mapping]] = ...) -> None: ...

class CallRule(_message.Message):
    __slots__ = ("match", "timeout", "retry", "attempt_timeout")
    MATCH_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    match: CallMatch
    timeout: _duration_pb2.Duration
    retry: RetryPolicy
    attempt_timeout: _duration_pb2.Duration
    def __init__(self, match: _Optional[_Union[CallMatch, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., attempt_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
