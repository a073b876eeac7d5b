"""Where spans and durations go: over OTLP to a collector, or nowhere. It never decides what is measured.

Queues are bounded: with the collector away the oldest wait, the rest is dropped, and no call is slower for it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from gossamer_kit._durations import DurationExport, Durations
from gossamer_kit._spans import Spans, TraceIds

if TYPE_CHECKING:
    from collections.abc import Callable

    from gossamer_kit._config import Config

_CLOSE_WITHIN = 2.0


class Telemetry:
    """One kit's spans and histograms."""

    def __init__(self, config: Config) -> None:
        about = {
            "service.name": config.service,
            "service.instance.id": config.instance,
            "service.version": config.version,
        }
        resource = Resource.create(about)
        ids = TraceIds()
        self._tracers = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=ids)
        self._durations: DurationExport | None = None
        if config.telemetry is not None:
            spans, self._durations = _exporters(config, config.telemetry, resource)
            self._tracers.add_span_processor(spans)
        self.spans = Spans(self._tracers, ids, follow=config.follow_sampling, ratio=config.sampling_ratio)

    def durations(self, name: str, description: str) -> Durations:
        """Make a histogram of seconds."""
        made = Durations(name, description)
        if self._durations is not None:
            self._durations.add(made)
        return made

    async def close(self) -> None:
        """Send what is left, within 2 seconds; what takes longer is given up with the process.

        In threads of its own: those of the event loop may all be taken by what handlers have left behind.
        """
        closes = [self._tracers.shutdown, *([self._durations.close] if self._durations else [])]
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await asyncio.gather(*map(_in_a_thread, closes))


def _in_a_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Run what blocks. The process doesn't wait for the thread."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop may be gone by then
                loop.call_soon_threadsafe(finish)

    threading.Thread(target=run, daemon=True).start()
    return done


def _exporters(config: Config, endpoint: str, resource: Resource) -> tuple[SpanProcessor, DurationExport]:
    """Make what sends spans and durations to a collector. Loads the exporters, which only some processes need."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    # The exporters would say with every batch that a collector is away.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    to: dict[str, Any] = {"endpoint": endpoint, "insecure": endpoint.startswith("http://")}
    spans = BatchSpanProcessor(OTLPSpanExporter(**to), schedule_delay_millis=config.span_delay * 1000)
    return spans, DurationExport(OTLPMetricExporter(**to), resource, config.metric_interval)
