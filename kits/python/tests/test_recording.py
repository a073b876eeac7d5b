"""What calls are counted by."""

from grpc import StatusCode
from opentelemetry.sdk.trace import TracerProvider

from gossamer_kit._durations import Durations
from gossamer_kit._recording import KNOWN_PEERS, Method, Recorder, caller
from gossamer_kit._spans import Spans, TraceIds


def counted(agents: list[str]) -> list[tuple[str, int]]:
    """Count a call by each user agent. Gives the series: the peer, and how many calls."""
    ids, durations = TraceIds(), Durations("rpc.server.call.duration", "")
    spans = Spans(TracerProvider(id_generator=ids, shutdown_on_exit=False), ids, follow=True, ratio=0.0)
    method = Method(Recorder(spans, durations, server=True), "/probe.v1.Probe/Echo", {})
    for agent in agents:
        who = caller([("user-agent", agent)])
        method.start(who.trace, who.service).end(StatusCode.OK)
    points = durations.metric(now=1).data.data_points
    return [(str(point.attributes.get("service.peer.name", "")), point.count) for point in points]


def test_callers_that_are_no_service_share_a_series() -> None:
    assert counted(["grpcurl/1.9.3", "grpc-python/1.85.0", ""]) == [("", 3)]


def test_callers_without_end_share_a_series_at_last() -> None:
    series = counted([f"gossamer/caller-{number} grpc" for number in range(2 * KNOWN_PEERS)] * 2)
    assert len(series) == KNOWN_PEERS + 1
    assert dict(series)[""] == 2 * KNOWN_PEERS
    assert dict(series)["caller-0"] == 2
