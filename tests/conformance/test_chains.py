"""Calls from each language to each, and through all: one trace, shrinking deadlines, cancellation to the end."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from conformance.conftest import LANGUAGES
from conformance.mesh import Mesh, Probes
from conformance.otlp import Receiver, Span
from conformance.peers import Callee
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

Standing = Callable[[Language], Awaitable[Probe]]

ROUNDING = 0.02
"""gRPC sends a deadline as what is left of it, rounded up: to 10 ms where that is over a second."""


async def test_each_language_calls_each(caller: Language, callee: Language, standing: Standing) -> None:
    first, second = await standing(caller), await standing(callee)
    answer = await first.stub.Relay(pb.RelayRequest(services=[second.service]), timeout=10)
    assert [(hop.language, hop.instance) for hop in answer.hops] == [
        (caller.name, first.instance),
        (callee.name, second.instance),
    ]


async def test_each_language_reads_the_errors_of_each(caller: Language, callee: Language, standing: Standing) -> None:
    first, second = await standing(caller), await standing(callee)

    async def failure(method: pb.CallMethod) -> pb.CallFailure:
        request = pb.CallRequest(service=second.service, method=method)
        answer: pb.CallResponse = await first.stub.Call(request, timeout=10)
        return answer.failure

    domain = "gossamer.probe.v1"
    assert await failure(pb.CALL_METHOD_FAIL) == pb.CallFailure(
        code=5, message="nothing to find here", reason="PROBE_NOT_FOUND", domain=domain
    )
    assert await failure(pb.CALL_METHOD_REFUSED) == pb.CallFailure(
        code=3, message="invalid request", reason="INVALID_REQUEST", domain=domain, fields=["code"]
    )


async def test_a_called_instance_measures_who_called(
    caller: Language, callee: Language, probes: Probes, receiver: Receiver, standing: Standing
) -> None:
    first = await standing(caller)
    second = await probes.start(callee)
    await first.stub.Relay(pb.RelayRequest(services=[second.service]), timeout=10)
    [point] = await receiver.points("rpc.server.call.duration", service=second.service)
    assert point.attributes["service.peer.name"] == first.service


async def test_a_chain_through_every_language_is_one_trace(standing: Standing, receiver: Receiver) -> None:
    chain = await _chain(standing)
    trace, root = secrets.token_hex(16), secrets.token_hex(8)
    request = pb.RelayRequest(services=[probe.service for probe in chain[1:]])
    sent = [("traceparent", f"00-{trace}-{root}-01"), ("tracestate", "vendor=kept")]
    answer = await chain[0].stub.Relay(request, metadata=sent, timeout=10)
    assert [hop.instance for hop in answer.hops] == [probe.instance for probe in chain]
    assert {hop.trace_id for hop in answer.hops} == {trace}
    assert {hop.metadata["tracestate"] for hop in answer.hops} == {"vendor=kept"}
    spans = await receiver.spans(trace, 2 * len(chain) - 1)
    parent = root
    for place, probe in enumerate(chain, start=1):
        server = _child(spans, parent)
        assert (server.kind, server.resource["service.instance.id"]) == ("server", probe.instance)
        if place < len(chain):
            client = _child(spans, server.span_id)
            assert (client.kind, client.resource["service.instance.id"]) == ("client", probe.instance)
            parent = client.span_id


async def test_baggage_is_carried_along_a_chain(standing: Standing) -> None:
    chain = await _chain(standing)
    request = pb.RelayRequest(services=[probe.service for probe in chain[1:]])
    sent = "tenant=acme,note=a%20b%2Cc+d"
    answer = await chain[0].stub.Relay(request, metadata=[("baggage", sent)], timeout=10)
    assert [set(hop.metadata["baggage"].split(",")) for hop in answer.hops] == [set(sent.split(","))] * len(chain)


async def test_the_deadline_shrinks_along_a_chain(standing: Standing) -> None:
    chain = await _chain(standing)
    request = pb.RelayRequest(services=[probe.service for probe in chain[1:]])
    answer = await chain[0].stub.Relay(request, timeout=4)
    left = [hop.remaining.ToTimedelta().total_seconds() for hop in answer.hops]
    assert left[0] <= 4 + ROUNDING
    assert all(later <= earlier + ROUNDING for earlier, later in pairwise(left)), left
    assert left[-1] > 1, left


@pytest.mark.parametrize("why", ["cancelled", "out of time"])
async def test_the_end_of_a_call_reaches_the_last_hop(standing: Standing, mesh: Mesh, why: str) -> None:
    chain = await _chain(standing)
    service = f"last-{secrets.token_hex(3)}"
    async with Callee() as last:
        await last.join(mesh, service)
        request = pb.RelayRequest(services=[*(probe.service for probe in chain[1:]), service])
        request.last_wait.FromSeconds(60)
        call = chain[0].stub.Relay(request, timeout=60 if why == "cancelled" else 2)
        async with asyncio.timeout(10):
            await last.entered.wait()
            if why == "cancelled":
                call.cancel()
            await last.cancelled.wait()
        await call.code()
        await mesh.consul.deregister(last.instance)


async def test_a_cancellation_reaches_the_last_hop_within_100_ms(standing: Standing, mesh: Mesh) -> None:
    """The quickest of five counts, since the machine does other work meanwhile."""
    chain = await _chain(standing)
    service = f"last-{secrets.token_hex(3)}"
    took = []
    async with Callee() as last:
        await last.join(mesh, service)
        request = pb.RelayRequest(services=[*(probe.service for probe in chain[1:]), service])
        request.last_wait.FromSeconds(60)
        for _ in range(5):
            last.entered.clear()
            last.cancelled.clear()
            call = chain[0].stub.Relay(request, timeout=60)
            async with asyncio.timeout(10):
                await last.entered.wait()
                begin = time.monotonic()
                call.cancel()
                await last.cancelled.wait()
                took.append(time.monotonic() - begin)
        await mesh.consul.deregister(last.instance)
    assert min(took) < 0.1, took


async def _chain(standing: Standing) -> list[Probe]:
    """Every language twice, so that each calls and is called, one another and itself."""
    probes = [await standing(language) for language in LANGUAGES if not language.missing]
    return [*probes, *reversed(probes)]


def _child(spans: list[Span], parent: str) -> Span:
    [child] = [span for span in spans if span.parent_id == parent]
    return child
