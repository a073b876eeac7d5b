"""The trace of what a person calls from the command line: its root, and the client's span, sent to the collector.

The client's span is that of opentelemetry-instrumentation-grpc, the instrumentation that clients without a kit use. The
kits make their spans by hand, since a service can't afford what it costs a call.
"""

import contextlib
import logging
from collections.abc import Iterator

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import client_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import format_trace_id

PATIENCE_S = 1.0  # that a call's spans may take to reach the collector; without one, they are lost


@contextlib.contextmanager
def traced(name: str, channel: grpc.Channel, collector: str) -> Iterator[tuple[str, grpc.Channel]]:
    """Trace the calls of a block; gives the trace's id and the channel to call through.

    Args:
        name: of the root span.
        channel: where calls go.
        collector: host:port of its OTLP over gRPC.
    """
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a collector that is away is no news here
    provider = TracerProvider(resource=Resource({"service.name": "gossamer"}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=collector, insecure=True, timeout=PATIENCE_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        with provider.get_tracer("gossamer").start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            interceptor = client_interceptor(provider)  # type: ignore[no-untyped-call]  # the package has no types here
            yield trace_id, intercept_channel(channel, interceptor)  # type: ignore[no-untyped-call]  # as above
    finally:
        provider.shutdown()
