"""The collector under faults: each ends in one clear line or a retryable answer, and nothing acknowledged is lost.

The disk is really full (a small tmpfs, as root) and the file really locked (another SQLite connection); the senders are
a raw gRPC client and the official exporter.
"""

import asyncio
import errno
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from harness.collector import Collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
DEADLINE = 20.0


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    async with Collector(tmp_path) as collector:
        yield collector


def payload(trace: int, *, size: int = 10, spans: int = 1) -> bytes:
    made = [
        Span(trace_id=trace.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="x" * size)
        for number in range(1, spans + 1)
    ]
    resource_spans = ResourceSpans(scope_spans=[ScopeSpans(spans=made)])
    return ExportTraceServiceRequest(resource_spans=[resource_spans]).SerializeToString()


async def export(collector: Collector, *bodies: bytes) -> list[grpc.StatusCode]:
    """Send bodies at the same time; give the status of each."""
    async with grpc.aio.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)

        async def status(body: bytes) -> grpc.StatusCode:
            try:
                await send(body, timeout=DEADLINE)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        return await asyncio.gather(*map(status, bodies))


async def stored(collector: Collector) -> int:
    return int((await collector.get("/status"))["stored_spans"])


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """Run a collector that is expected to end on its own."""
    command = [sys.executable, "-m", "gossamer_mesh.collect", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


async def test_sigterm_stores_what_came_and_ends_with_0(tmp_path: Path) -> None:
    async with Collector(tmp_path) as collector:
        assert await export(collector, *(payload(trace) for trace in range(1, 21))) == [grpc.StatusCode.OK] * 20
        assert await collector.end(signal.SIGTERM) == 0
    async with Collector(tmp_path) as again:
        assert await stored(again) == 20


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with Collector(tmp_path) as collector:
        assert await export(collector, payload(1, spans=100)) == [grpc.StatusCode.OK]
        await collector.end(signal.SIGKILL)
    async with Collector(tmp_path) as again:
        assert await stored(again) == 100


@pytest.mark.parametrize("flag", ["grpc", "http", "query"])
def test_a_port_in_use_is_one_line_and_1(tmp_path: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = [f"--{each}=127.0.0.1:0" for each in ("grpc", "http", "query") if each != flag]
        ended = run("--store", str(tmp_path / "s.db"), f"--{flag}={address}", *others)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"--{flag} {address}: can't be bound")
    assert line.endswith("stop what uses it, or pass another address")


def test_bad_values_are_64_and_bad_words_2(tmp_path: Path) -> None:
    store = str(tmp_path / "s.db")
    bad_values = run("--store", store, "--grpc", "x", "--max-age", "y")
    assert (bad_values.returncode, len(bad_values.stderr.splitlines())) == (64, 1)
    assert "--grpc" in bad_values.stderr
    assert "--max-age" in bad_values.stderr
    assert run("--nonsense").returncode == 2
    assert not Path(store).exists()


async def test_a_second_collector_on_one_store_is_refused(collector: Collector) -> None:
    flags = [f"--{port}=127.0.0.1:0" for port in ("grpc", "http", "query")]
    ended = await asyncio.to_thread(run, "--store", str(collector.store), *flags)
    assert ended.returncode == 1
    assert (
        ended.stderr == f"--store {collector.store}: another collector uses it: stop that one, or pass another path\n"
    )


async def test_a_store_that_is_no_database_is_set_aside_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "spans.db").write_text("something else entirely\n" * 1000)
    async with Collector(tmp_path) as collector:
        assert await export(collector, payload(1)) == [grpc.StatusCode.OK]
        (line,) = [line for line in collector.logs() if line["level"] == "warning"]
    (aside,) = tmp_path.glob("spans.db.unsound-*")
    assert str(aside) in line["message"]
    assert aside.read_text().startswith("something else entirely")


async def test_hostile_bytes_over_grpc_are_refused_for_good(collector: Collector) -> None:
    too_large = payload(2, size=5 * 2**20)
    assert await export(collector, b"\xff\xff", too_large, payload(1)) == [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.OK,
    ]


async def test_a_compressed_message_that_grows_without_end_is_refused(collector: Collector) -> None:
    async with grpc.aio.insecure_channel(
        collector.addresses["otlp_grpc"], compression=grpc.Compression.Gzip
    ) as channel:
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await send(bytes(64 * 2**20), timeout=DEADLINE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await send(payload(1), timeout=DEADLINE)
    assert _peak_memory_mib(collector) < 150


async def test_a_locked_store_asks_senders_to_come_again_and_recovers(collector: Collector) -> None:
    foreign = sqlite3.connect(collector.store, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    try:
        async with grpc.aio.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
            send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await send(payload(1), timeout=DEADLINE)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        (detail,) = rpc_status.from_call(caught.value).details
        retry = error_details_pb2.RetryInfo()
        assert detail.Unpack(retry)
        assert retry.retry_delay.seconds == 1
        headers = {"Content-Type": "application/x-protobuf"}
        status, answered, _ = await collector.post("/v1/traces", payload(1), headers)
        assert (status, answered["Retry-After"]) == (503, "1")
    finally:
        foreign.execute("ROLLBACK")
        foreign.close()
    assert await export(collector, payload(1)) == [grpc.StatusCode.OK]
    assert await stored(collector) == 1


async def test_a_flood_that_cannot_be_stored_is_turned_away_and_memory_stays_bounded(collector: Collector) -> None:
    foreign = sqlite3.connect(collector.store, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    try:
        body = payload(1, size=2**20)
        statuses = await export(collector, *[body] * 100)  # 100 MiB at once
    finally:
        foreign.execute("ROLLBACK")
        foreign.close()
    assert set(statuses) == {grpc.StatusCode.UNAVAILABLE}
    assert _peak_memory_mib(collector) < 200
    assert await export(collector, payload(2)) == [grpc.StatusCode.OK]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_a_full_disk_asks_senders_to_come_again_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    async with Collector(tmp_path, store=small_disk / "spans.db") as collector:
        assert await export(collector, payload(1)) == [grpc.StatusCode.OK]
        hog = _fill(small_disk)
        bodies = [payload(trace, size=500_000) for trace in range(2, 6)]
        assert await export(collector, *bodies) == [grpc.StatusCode.UNAVAILABLE] * 4
        assert "disk" in (await collector.get("/status"))["failing"]
        assert await stored(collector) == 1  # nothing left that was there
        hog.unlink()
        assert await export(collector, bodies[0]) == [grpc.StatusCode.OK]
        assert await stored(collector) == 2
        levels = [(line["level"], line["message"].partition(":")[0]) for line in collector.logs()]
    assert levels[:2] == [("error", "spans can't be stored"), ("info", "spans are stored again")]


async def test_a_disk_that_is_full_for_the_log_too_does_not_end_the_writer(small_disk: Path) -> None:
    async with Collector(small_disk) as collector:
        assert await export(collector, payload(1)) == [grpc.StatusCode.OK]
        hog = _fill(small_disk)
        for trace in range(2, 4):
            assert await export(collector, payload(trace, size=500_000)) == [grpc.StatusCode.UNAVAILABLE]
        hog.unlink()
        assert await export(collector, payload(4)) == [grpc.StatusCode.OK]
        assert await stored(collector) == 2


async def test_bodies_that_do_not_arrive_are_turned_away_and_memory_stays_bounded(collector: Collector) -> None:
    host, _, port = collector.addresses["otlp_http"].rpartition(":")
    size = 4 * 2**20
    head = f"POST /v1/logs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    loop = asyncio.get_running_loop()

    async def answer() -> bytes:
        with socket.socket() as sender:
            sender.setblocking(False)
            await loop.sock_connect(sender, (host, int(port)))
            sending = loop.create_task(loop.sock_sendall(sender, head.encode() + bytes(size - 1)))
            answered = await loop.sock_recv(sender, 2**16)
            sending.cancel()
            return answered

    async with asyncio.timeout(DEADLINE):
        answers = await asyncio.gather(*(answer() for _ in range(40)))
    assert {each.splitlines()[0] for each in answers} == {b"HTTP/1.1 503 Service Unavailable"}
    assert all(b"\r\nRetry-After: 1\r\n" in each for each in answers)
    assert _peak_memory_mib(collector) < 150


async def test_a_small_bound_lets_the_oldest_traces_go(tmp_path: Path) -> None:
    async with Collector(tmp_path, "--max-bytes=1MiB") as collector:
        for trace in range(1, 41):
            assert await export(collector, payload(trace, size=50_000)) == [grpc.StatusCode.OK]
        assert collector.store.stat().st_size <= 2**20
        assert await collector.status_of(f"/api/traces/{40:032x}") == 200
        assert await collector.status_of(f"/api/traces/{1:032x}") == 404


async def test_a_span_leaves_when_its_age_is_over(tmp_path: Path) -> None:
    async with Collector(tmp_path, "--max-age=1s") as collector:
        await export(collector, payload(1))
        async with asyncio.timeout(DEADLINE):
            while await stored(collector):
                await asyncio.sleep(0.2)


def _fill(disk: Path) -> Path:
    """Write a file until no byte fits any more."""
    hog = disk / "hog"
    descriptor = os.open(hog, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, b"x" * 4096):
            pass
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017 - the one way out of the loop
    finally:
        os.close(descriptor)
    return hog


def _peak_memory_mib(collector: Collector) -> float:
    status = Path(f"/proc/{collector.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
