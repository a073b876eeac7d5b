"""Row limits of the kit contract: what an instance takes, and what it refuses before it hurts."""

import asyncio
import secrets
import struct

import grpc
import pytest
from conformance.waits import wait, waiting
from harness.probe import Probe, channel

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub

pytestmark = pytest.mark.row("limits")

MIB = 1024 * 1024
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 3, 6


async def test_a_request_over_4_mib_is_refused(probe: Probe) -> None:
    call = probe.stub.Echo(pb.EchoRequest(payload=bytes(4 * MIB)), timeout=10)
    assert await call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_request_just_under_4_mib_is_taken(probe: Probe) -> None:
    answer = await probe.stub.Echo(pb.EchoRequest(payload=bytes(4 * MIB - 1024)), timeout=10)
    assert len(answer.payload) == 4 * MIB - 1024


async def test_a_response_over_4_mib_is_not_sent(probe: Probe) -> None:
    call = probe.stub.Echo(pb.EchoRequest(response_padding=4 * MIB), timeout=10)
    assert await call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_headers_over_16_kib_are_refused(probe: Probe) -> None:
    call = probe.stub.Echo(pb.EchoRequest(), metadata=[("padding", "x" * 16 * 1024)], timeout=10)
    assert await call.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)


async def test_headers_of_12_kib_are_taken(probe: Probe) -> None:
    answer = await probe.stub.Echo(pb.EchoRequest(), metadata=[("padding", "x" * 12 * 1024)], timeout=10)
    assert len(answer.hop.metadata["padding"]) == 12 * 1024


async def test_the_limits_of_a_connection_are_told_to_every_client(probe: Probe) -> None:
    async with asyncio.timeout(10):
        reader, writer = await _connect(probe)
        kind, payload = await _frame(reader)
        writer.close()
        await writer.wait_closed()
    settings = dict(struct.iter_unpack(">HI", payload))
    assert kind == SETTINGS
    assert settings[MAX_CONCURRENT_STREAMS] == 1000
    assert settings[MAX_HEADER_LIST_SIZE] == 16 * 1024


async def test_no_more_than_a_thousand_calls_run_at_once_on_one_connection(probe: Probe) -> None:
    """The others wait in the client. They are looked at over another connection, which has streams to spare."""
    key = secrets.token_hex(4)
    async with channel(probe.address) as open_channel:
        stub = ProbeServiceStub(open_channel)
        await stub.Wait(wait(0, key), timeout=10)  # by then the client knows the limit
        calls = [stub.Wait(wait(60, key), timeout=60) for _ in range(1200)]
        seen = [0]
        async with asyncio.timeout(30):
            while seen[-1] < 1000 or len(set(seen[-20:])) > 1:
                seen.append(await waiting(probe, key))
        for call in calls:
            call.cancel()
    assert seen[-1] == 1000


@pytest.mark.timeout(180)
async def test_a_ping_every_10_seconds_is_allowed(probe: Probe) -> None:
    """Four pings without a call; by gRPC's defaults (5 minutes) the third would end the connection."""
    reader, writer = await _connect(probe)
    seen = []
    for number in range(4):
        writer.write(_PING.pack(0, 8, PING, 0, 0, number))
        async with asyncio.timeout(10):
            seen += await _until_ping(reader)
        if number < 3:
            await asyncio.sleep(10)
    writer.close()
    assert GOAWAY not in seen
    assert seen.count(PING) == 4


async def test_pings_without_pause_end_the_connection(probe: Probe) -> None:
    """The control of the test above: the instance does count pings."""
    reader, writer = await _connect(probe)
    for number in range(20):
        writer.write(_PING.pack(0, 8, PING, 0, 0, number))
    async with asyncio.timeout(10):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await _frames_until_the_end(reader)
    writer.close()


_PING = struct.Struct(">BHBBIQ")  # length (24 bits), type, flags, stream, payload


async def _connect(probe: Probe) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = probe.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(HTTP2_PREFACE + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))
    return reader, writer


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(9)
    return head[3], await reader.readexactly(int.from_bytes(head[:3]))


async def _frames_until_the_end(reader: asyncio.StreamReader) -> None:
    while True:
        await _frame(reader)


async def _until_ping(reader: asyncio.StreamReader) -> list[int]:
    seen = [(await _frame(reader))[0]]
    while seen[-1] not in (PING, GOAWAY):
        seen.append((await _frame(reader))[0])
    return seen
