"""How long calls take, as histograms of seconds: counted here, exported over OTLP by the SDK's exporter.

Counted by hand because a histogram of the SDK (1.45) costs a call ten times as much (10 us to 1 us, measured), most of
it for hashing the same few attributes anew. What is exported is the same: cumulative, with the conventions' bounds.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource

# What the semantic conventions advise for rpc.*.call.duration, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Series:
    """The durations of all calls with the same labels."""

    __slots__ = ("_began", "_buckets", "_labels", "_longest", "_shortest", "_total")

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._began = time.time_ns()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._shortest = float("inf")
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._total += seconds
        self._shortest = min(self._shortest, seconds)
        self._longest = max(self._longest, seconds)

    def point(self, now: int) -> HistogramDataPoint:
        """Say what was counted. It may be read while a call is being counted, which is then in it or not."""
        buckets = self._buckets.copy()
        return HistogramDataPoint(
            attributes=self._labels,
            start_time_unix_nano=self._began,
            time_unix_nano=now,
            count=sum(buckets),
            sum=self._total,
            bucket_counts=buckets,
            explicit_bounds=BOUNDS,
            min=self._shortest,
            max=self._longest,
        )


class Durations:
    """One histogram: a series for each set of labels."""

    def __init__(self, name: str, description: str) -> None:
        self._name = name
        self._description = description
        self._series: list[Series] = []

    def series(self, labels: Mapping[str, str]) -> Series:
        """Begin a series. Whoever counts keeps it."""
        made = Series(labels)
        self._series.append(made)
        return made

    def metric(self, now: int) -> Metric:
        """Say what was counted, for an exporter."""
        points = [series.point(now) for series in self._series.copy()]
        return Metric(self._name, self._description, "s", Histogram(points, AggregationTemporality.CUMULATIVE))


class DurationExport:
    """Sends histograms every few seconds, and a last time when closed. One that can't be sent is worth the next one."""

    def __init__(self, exporter: MetricExporter, resource: Resource, every: float) -> None:
        self._exporter = exporter
        self._resource = resource
        self._every = every
        self._sent: list[Durations] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durations", daemon=True)
        self._thread.start()

    def add(self, durations: Durations) -> None:
        """Send this one too."""
        self._sent.append(durations)

    def close(self) -> None:
        """Send what is left, and give up what can't be sent. Blocks."""
        self._closed.set()
        self._thread.join()
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._closed.wait(self._every):
            self._send()
        self._send()

    def _send(self) -> None:
        now = time.time_ns()
        metrics = [metric for durations in self._sent if (metric := durations.metric(now)).data.data_points]
        if metrics:
            scope = ScopeMetrics(InstrumentationScope("gossamer_kit"), metrics, "")
            self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))
