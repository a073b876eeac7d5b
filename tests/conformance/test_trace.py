"""Rows trace and metrics of the kit contract: one span a side for every call, and how long each took."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

import pytest
from conformance.mesh import Probes
from conformance.otlp import Receiver, Span
from conformance.peers import Callee, SilentPeer, Wire
from conformance.waits import until_waiting, wait
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from harness.probe import Language, Probe, channel

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub

pytestmark = pytest.mark.row("trace")

CONTRACT = "gossamer.probe.v1.ProbeService"
SDK = {"typescript": "nodejs"}
"""Languages that OpenTelemetry calls by the name of what runs them."""
LIST = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()


@dataclass(frozen=True)
class Trace:
    """A trace that a test begins, as a caller outside of the mesh would."""

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    span: str = field(default_factory=lambda: secrets.token_hex(8))

    def metadata(self, *, sampled: bool = True) -> list[tuple[str, str]]:
        return [("traceparent", f"00-{self.id}-{self.span}-0{int(sampled)}"), ("tracestate", "test=1")]


@pytest.fixture
def trace() -> Trace:
    return Trace()


async def _count(probe: Probe, trace: Trace) -> None:
    assert len([each async for each in probe.stub.Count(pb.CountRequest(to=3), metadata=trace.metadata())]) == 3


async def _sum(probe: Probe, trace: Trace) -> None:
    requests = [pb.SumRequest(number=number) for number in (1, 2)]
    assert (await probe.stub.Sum(iter(requests), metadata=trace.metadata())).sum == 3


async def _chat(probe: Probe, trace: Trace) -> None:
    requests = [pb.ChatRequest(text=text) for text in "ab"]
    answers = probe.stub.Chat(iter(requests), metadata=trace.metadata())
    assert [each.text async for each in answers] == ["a", "b"]


async def _echo(probe: Probe, trace: Trace) -> None:
    await probe.stub.Echo(pb.EchoRequest(), metadata=trace.metadata())


@pytest.mark.parametrize(("method", "call"), [("Echo", _echo), ("Count", _count), ("Sum", _sum), ("Chat", _chat)])
async def test_each_shape_of_call_is_one_server_span(
    probe: Probe, receiver: Receiver, trace: Trace, method: str, call: object
) -> None:
    async with asyncio.timeout(10):
        await call(probe, trace)
    [span] = await receiver.spans(trace.id, 1)
    assert (span.kind, span.name, span.status) == ("server", f"{CONTRACT}/{method}", "unset")
    assert span.parent_id == trace.span
    assert span.attributes["rpc.system.name"] == "grpc"
    assert span.attributes["rpc.method"] == f"{CONTRACT}/{method}"
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert "rpc.grpc.status_code" not in span.attributes, "the name of older conventions"


async def test_a_span_says_whose_it_is(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    await _echo(probe, trace)
    [span] = await receiver.spans(trace.id, 1)
    assert span.resource["service.name"] == probe.service
    assert span.resource["service.instance.id"] == probe.instance
    assert span.resource["service.version"] == "dev"
    assert span.resource["telemetry.sdk.language"] == SDK.get(probe.language, probe.language)


async def test_a_handler_knows_its_trace(probe: Probe, trace: Trace) -> None:
    answer = await probe.stub.Echo(pb.EchoRequest(), metadata=trace.metadata(), timeout=5)
    assert answer.hop.trace_id == trace.id


async def test_a_call_without_a_trace_begins_one(probe: Probe, receiver: Receiver) -> None:
    answer = await probe.stub.Echo(pb.EchoRequest(), timeout=5)
    [span] = await receiver.spans(answer.hop.trace_id, 1)
    assert span.parent_id == ""


async def test_what_a_caller_does_not_sample_is_not_exported(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    unsampled = Trace()
    answer = await probe.stub.Echo(pb.EchoRequest(), metadata=unsampled.metadata(sampled=False), timeout=5)
    assert answer.hop.trace_id == unsampled.id
    await _echo(probe, trace)
    await receiver.spans(trace.id, 1)
    await receiver.spans(unsampled.id, 0)


async def test_a_call_of_a_handler_is_a_client_span_in_the_same_trace(
    language: Language, probes: Probes, receiver: Receiver, trace: Trace
) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        await probe.stub.Relay(pb.RelayRequest(services=["callee"]), metadata=trace.metadata(), timeout=5)
    server, client = await _pair(receiver, trace)
    assert (client.parent_id, client.name, client.status) == (server.span_id, f"{CONTRACT}/Relay", "unset")
    assert client.attributes["rpc.response.status_code"] == "OK"
    assert client.attributes["service.peer.name"] == "callee"
    version, trace_id, parent, flags = callee.hops[0].metadata["traceparent"].split("-")
    assert (version, trace_id, parent) == ("00", trace.id, client.span_id)
    assert int(flags, 16) & 1
    assert callee.hops[0].metadata["tracestate"] == "test=1"


async def test_what_is_not_sampled_is_passed_on_as_such(language: Language, probes: Probes, trace: Trace) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        await probe.stub.Relay(pb.RelayRequest(services=["callee"]), metadata=trace.metadata(sampled=False), timeout=5)
    _, trace_id, _, flags = callee.hops[0].metadata["traceparent"].split("-")
    assert (trace_id, int(flags, 16) & 1) == (trace.id, 0)


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        (pb.FailRequest(mode=pb.FAIL_MODE_DOMAIN), "NOT_FOUND", "unset"),
        (pb.FailRequest(mode=pb.FAIL_MODE_UNEXPECTED), "INTERNAL", "error"),
        (pb.FailRequest(mode=pb.FAIL_MODE_STATUS, code=14), "UNAVAILABLE", "error"),
        (pb.FailRequest(mode=pb.FAIL_MODE_STATUS, code=7), "PERMISSION_DENIED", "unset"),
        (pb.FailRequest(code=99), "INVALID_ARGUMENT", "unset"),
    ],
    ids=["domain", "unexpected", "own-fault", "callers-fault", "invalid"],
)
async def test_a_failure_has_its_status_on_the_span(
    probe: Probe, receiver: Receiver, trace: Trace, request_: pb.FailRequest, code: str, status: str
) -> None:
    await probe.stub.Fail(request_, metadata=trace.metadata(), timeout=5).code()
    [span] = await receiver.spans(trace.id, 1)
    assert (span.attributes["rpc.response.status_code"], span.status) == (code, status)
    assert span.attributes.get("error.type") == (code if status == "error" else None)


async def test_the_unexpected_is_one_exception_event(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    request = pb.FailRequest(mode=pb.FAIL_MODE_UNEXPECTED)
    await probe.stub.Fail(request, metadata=trace.metadata(), timeout=5).code()
    [span] = await receiver.spans(trace.id, 1)
    assert span.events == ("exception",)


async def test_a_handler_out_of_time_ends_its_span_so(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    """The instance has to see by its own clock that the time is over: that the caller gave up doesn't reach it."""
    async with Wire(probe.address) as wire, channel(wire.address) as open_channel:
        call = ProbeServiceStub(open_channel).Wait(wait(60, trace.id), metadata=trace.metadata(), timeout=2)
        await until_waiting(probe, trace.id)
        wire.hold()
        [span] = await receiver.spans(trace.id, 1)
        await call.code()
    assert (span.attributes["rpc.response.status_code"], span.status) == ("DEADLINE_EXCEEDED", "error")


async def test_a_cancelled_handler_ends_its_span_so(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    call = probe.stub.Wait(wait(60, trace.id), metadata=trace.metadata(), timeout=60)
    await until_waiting(probe, trace.id)
    call.cancel()
    [span] = await receiver.spans(trace.id, 1)
    assert (span.attributes["rpc.response.status_code"], span.status) == ("CANCELLED", "unset")


async def test_a_cancelled_stream_ends_its_span(probe: Probe, receiver: Receiver, trace: Trace) -> None:
    request = pb.CountRequest(to=1000)
    request.interval.FromMilliseconds(50)
    call = probe.stub.Count(request, metadata=trace.metadata(), timeout=60)
    await call.read()
    call.cancel()
    [span] = await receiver.spans(trace.id, 1)
    assert span.attributes["rpc.response.status_code"] == "CANCELLED"


async def test_a_client_span_ends_when_its_call_runs_out_of_time(
    language: Language, probes: Probes, receiver: Receiver, trace: Trace
) -> None:
    async with SilentPeer() as callee:
        probe = await _calling(language, probes, callee, GOSSAMER_DEADLINE="300ms")
        await probe.stub.Relay(pb.RelayRequest(services=["callee"]), metadata=trace.metadata()).code()
        _, client = await _pair(receiver, trace)
    assert (client.attributes["rpc.response.status_code"], client.status) == ("DEADLINE_EXCEEDED", "error")


async def test_a_client_span_ends_when_its_call_is_cancelled(
    language: Language, probes: Probes, receiver: Receiver, trace: Trace
) -> None:
    async with Callee() as callee:
        probe = await _calling(language, probes, callee)
        request = pb.RelayRequest(services=["callee"], last_wait=wait(60).duration)
        call = probe.stub.Relay(request, metadata=trace.metadata(), timeout=60)
        async with asyncio.timeout(5):
            await callee.entered.wait()
        call.cancel()
        server, client = await _pair(receiver, trace)
    assert client.attributes["rpc.response.status_code"] == "CANCELLED"
    assert server.attributes["rpc.response.status_code"] == "CANCELLED"


STREAMS = pytest.mark.parametrize(
    ("method", "name"),
    [(pb.CALL_METHOD_COUNT, "Count"), (pb.CALL_METHOD_SUM, "Sum"), (pb.CALL_METHOD_CHAT, "Chat")],
    ids=["Count", "Sum", "Chat"],
)


@STREAMS
@pytest.mark.parametrize(("abandon", "code", "status"), [(False, "OK", "unset"), (True, "CANCELLED", "error")])
async def test_a_stream_of_a_handler_is_one_client_span(
    language: Language,
    probes: Probes,
    receiver: Receiver,
    trace: Trace,
    method: int,
    name: str,
    abandon: bool,
    code: str,
    status: str,
) -> None:
    """Also one that is dropped halfway, and that long before its deadline."""
    async with Callee() as callee:
        probe = await _calling(language, probes, callee, GOSSAMER_DEADLINE="10m")
        request = pb.CallRequest(service="callee", method=method, abandon=abandon)
        await probe.stub.Call(request, metadata=trace.metadata(), timeout=300)
        server, client = await _pair(receiver, trace)
    assert (client.parent_id, client.name) == (server.span_id, f"{CONTRACT}/{name}")
    assert (client.attributes["rpc.response.status_code"], client.status) == (code, status)


@pytest.mark.row("metrics")
async def test_durations_of_both_sides_are_measured_in_seconds(
    language: Language, probes: Probes, receiver: Receiver
) -> None:
    service = f"measured-{secrets.token_hex(3)}"
    async with Callee() as callee:
        probe = await _calling(language, probes, callee, GOSSAMER_SERVICE=service)
        request = pb.RelayRequest(services=["callee"])
        request.last_wait.FromMilliseconds(300)
        await probe.stub.Relay(request, timeout=5)
        [server] = await receiver.points("rpc.server.call.duration", service=service)
        [client] = await receiver.points("rpc.client.call.duration", service=service)
    for point in (server, client):
        assert (point.unit, point.count) == ("s", 1)
        assert 0.3 <= point.sum < 3
        assert point.attributes["rpc.method"] == f"{CONTRACT}/Relay"
        assert point.attributes["rpc.system.name"] == "grpc"
        assert point.attributes["rpc.response.status_code"] == "OK"
    assert client.attributes["service.peer.name"] == "callee"


@pytest.mark.row("metrics")
async def test_a_failed_call_is_measured_with_its_status(
    language: Language, probes: Probes, receiver: Receiver
) -> None:
    probe = await probes.start(language)
    await probe.stub.Fail(pb.FailRequest(mode=pb.FAIL_MODE_DOMAIN), timeout=5).code()
    [point] = await receiver.points("rpc.server.call.duration", service=probe.service)
    assert point.attributes["rpc.response.status_code"] == "NOT_FOUND"


async def test_what_keeps_the_mesh_going_is_neither_traced_nor_measured(
    language: Language, probes: Probes, receiver: Receiver, trace: Trace
) -> None:
    """Consul checks every instance, and reflection is asked by every grpcurl. The control is an ordinary call."""
    probe = await probes.start(language)
    async with channel(probe.address) as open_channel:
        health = health_pb2_grpc.HealthStub(open_channel)
        await health.Check(health_pb2.HealthCheckRequest(), metadata=trace.metadata(), timeout=5)
        watch = health.Watch(health_pb2.HealthCheckRequest(), metadata=trace.metadata(), timeout=60)
        await watch.read()
        watch.cancel()
        for version in ("v1", "v1alpha"):
            ask = open_channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
            assert [answer async for answer in ask(iter([LIST]), metadata=trace.metadata(), timeout=5)]
        await _echo(probe, trace)
    assert await probe.end() == 0, "it has sent all that it had"
    [span] = await receiver.spans(trace.id, 1)
    [point] = await receiver.points("rpc.server.call.duration", service=probe.service)
    assert span.name == point.attributes["rpc.method"] == f"{CONTRACT}/Echo"


@pytest.mark.parametrize("collector", ["absent", "silent"])
async def test_a_collector_that_takes_nothing_fails_no_call_and_no_drain(
    language: Language, probes: Probes, collector: str
) -> None:
    """There are more spans than the queue of any kit holds (2,048)."""
    async with SilentPeer() as silent:
        address = silent.address if collector == "silent" else "127.0.0.1:1"
        probe = await probes.start(language, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}")
        for _ in range(60):
            await asyncio.gather(*(probe.stub.Echo(pb.EchoRequest(), timeout=10) for _ in range(50)))
        begin = time.monotonic()
        assert await probe.end() == 0
        assert time.monotonic() - begin < 12


async def _calling(language: Language, probes: Probes, callee: Callee | SilentPeer, **changes: str) -> Probe:
    given = f"static:callee={callee.address}"
    return await probes.start(language, GOSSAMER_DISCOVERY=given, joined=False, **{"CONSUL_HTTP_ADDR": "", **changes})


async def _pair(receiver: Receiver, trace: Trace) -> tuple[Span, Span]:
    """Wait for the span of the handler and that of the call it made."""
    spans = {span.kind: span for span in await receiver.spans(trace.id, 2)}
    return spans["server"], spans["client"]
