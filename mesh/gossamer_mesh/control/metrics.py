"""What the control plane counts about itself, exported over OTLP. Loaded only where there is a receiver.

| metric                     | kind    | unit        | attributes               |
|----------------------------|---------|-------------|--------------------------|
| `gossamer.xds.nacks`       | counter | `{nack}`    | `node`, `type`, `reason` |
| `gossamer.xds.clients`     | gauge   | `{client}`  |                          |
| `gossamer.mesh.age`        | gauge   | `s`         |                          |
| `gossamer.mesh.held`       | gauge   | `{service}` |                          |
| `gossamer.policy.refusals` | gauge   | `{refusal}` |                          |

The reason of a NACK is the client's own text, cut, so that the series stay few; how many there can be is bounded by the
SDK, which counts what is beyond under one series that says so.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from gossamer_mesh.xds.node import Node
from gossamer_mesh.xds.session import Refusal

LONGEST_REASON = 200
"""Characters of a client's reason."""

CLOSE_WITHIN = 2.0
"""Seconds that the last export may take."""

Gauge = tuple[str, str, str, Callable[[], float]]
"""A name, a unit, what it means, and how it is read."""


class Metrics:
    """The counters of one control plane. Everything is exported every `interval` seconds, to a URL."""

    def __init__(self, endpoint: str, *, instance: str, interval: float) -> None:
        # The exporter would say with every interval that a collector is away.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        exporter = OTLPMetricExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=interval * 1000)
        resource = Resource.create({"service.name": "control", "service.instance.id": instance})
        self._provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._meter = self._provider.get_meter("gossamer_mesh.control")
        self._nacks = self._meter.create_counter(
            "gossamer.xds.nacks", "{nack}", "What clients refused, and kept what they had instead"
        )

    def observe(self, gauges: Iterable[Gauge]) -> None:
        """Read these whenever something is exported, from a thread of the SDK."""
        for name, unit, meaning, read in gauges:
            self._meter.create_observable_gauge(name, [_reading(read)], unit, meaning)

    def refused(self, node: Node, refusal: Refusal) -> None:
        """Count a NACK."""
        self._nacks.add(
            1,
            {
                "node": node.id,
                "type": refusal.type.value,
                "reason": refusal.reason[:LONGEST_REASON],
            },
        )

    async def close(self) -> None:
        """Export a last time, and give up after 2 seconds."""
        await asyncio.to_thread(self._provider.shutdown, CLOSE_WITHIN * 1000)


def _reading(read: Callable[[], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(read())]
