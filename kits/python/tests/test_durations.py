"""What histograms of durations hold."""

# ruff: noqa: ARG002  (the exporter has the signatures of the SDK)

import threading

from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from gossamer_kit._durations import BOUNDS, DurationExport, Durations, Series


class Collected(MetricExporter):
    """An exporter that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[MetricsData] = []
        self.arrived = threading.Event()

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        self.batches.append(metrics_data)
        self.arrived.set()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **kwargs):
        self.batches.append("shut down")


def test_a_duration_counts_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    series = Series({})
    for seconds in (0.001, 0.005, 0.0051, 10, 11):
        series.add(seconds)
    point = series.point(now=1)
    counted = dict(zip((*BOUNDS, "more"), point.bucket_counts, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {0.005: 2, 0.01: 1, 10: 1, "more": 1}
    assert (point.count, point.min, point.max) == (5, 0.001, 11)
    assert round(point.sum, 4) == 21.0111


def test_a_histogram_is_cumulative_and_in_seconds() -> None:
    durations = Durations("rpc.server.call.duration", "")
    durations.series({"a": "1"}).add(0.1)
    metric = durations.metric(now=1)
    assert (metric.name, metric.unit) == ("rpc.server.call.duration", "s")
    assert metric.data.aggregation_temporality == AggregationTemporality.CUMULATIVE
    assert [point.attributes for point in metric.data.data_points] == [{"a": "1"}]


def test_they_are_sent_every_so_often() -> None:
    exporter = Collected()
    export = DurationExport(exporter, Resource.get_empty(), every=0.01)
    durations = Durations("a", "")
    export.add(durations)
    durations.series({}).add(1)
    assert exporter.arrived.wait(5)
    export.close()


def test_the_last_are_sent_on_closing() -> None:
    exporter = Collected()
    export = DurationExport(exporter, Resource.get_empty(), every=600)
    durations = Durations("a", "")
    export.add(durations)
    durations.series({}).add(1)
    export.close()
    assert len(exporter.batches) == 2
    assert exporter.batches[-1] == "shut down"


def test_nothing_is_sent_of_nothing() -> None:
    exporter = Collected()
    export = DurationExport(exporter, Resource.get_empty(), every=600)
    export.add(Durations("a", ""))
    export.close()
    assert exporter.batches == ["shut down"]
