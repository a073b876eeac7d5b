"""Faults -> the HTTP fault filter and what routes tell it (gRFC A33)."""

from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.type.v3.percent_pb2 import FractionalPercent

from gossamer_mesh.model import Fault
from gossamer_mesh.xds.wire import duration, pack

FILTER = "envoy.filters.http.fault"
"""The filter's name, by which routes speak to it."""


def http_filter() -> HttpFilter:
    """Make the filter that does nothing to routes without a fault of their own."""
    return HttpFilter(name=FILTER, typed_config=pack(HTTPFault()))


def http_fault(fault: Fault) -> HTTPFault:
    """Make what a route tells the filter."""
    message = HTTPFault()
    if fault.delay:
        message.delay.CopyFrom(
            FaultDelay(fixed_delay=duration(fault.delay.seconds), percentage=_percent(fault.delay.percent))
        )
    if fault.abort:
        message.abort.CopyFrom(FaultAbort(grpc_status=fault.abort.status, percentage=_percent(fault.abort.percent)))
    return message


def _percent(percent: float) -> FractionalPercent:
    return FractionalPercent(numerator=round(percent * 10_000), denominator=FractionalPercent.MILLION)
