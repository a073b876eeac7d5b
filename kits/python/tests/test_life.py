"""The order in which an instance comes and goes, seen from inside."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server
from gossamer_kit import BindError, ConfigError, Kit, run

CONTRACT = "gossamer.probe.v1.ProbeService"


async def health(address: str, name: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


@pytest.mark.parametrize("name", ["", CONTRACT])
async def test_health_says_not_serving_until_joined(config, name: str) -> None:
    async with Kit(config("orders")) as kit:
        address = await kit.serve(add_ProbeServiceServicer_to_server, ProbeServiceServicer())
        assert await health(address, name) == "NOT_SERVING"
        await kit.join()
        assert await health(address, name) == "SERVING"


async def test_a_signal_ends_the_wait_and_the_server(config) -> None:
    async with Kit(config("orders")) as kit:
        address = await kit.serve(add_ProbeServiceServicer_to_server, ProbeServiceServicer())
        await kit.join()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await kit.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await health(address, "")


async def test_a_signal_before_the_wait_is_not_lost(config) -> None:
    async with Kit(config("orders", consul="http://127.0.0.1:1")) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, ProbeServiceServicer())
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
        async with asyncio.timeout(10):
            await kit.join()  # Consul isn't there, and is waited for
            await kit.wait()


async def test_a_failing_main_leaves_nothing_behind(config) -> None:
    kit = Kit(config("orders"))
    await kit.__aenter__()
    address = await kit.serve(add_ProbeServiceServicer_to_server, ProbeServiceServicer())
    await kit.__aexit__(RuntimeError, RuntimeError("no database"), None)
    with pytest.raises(grpc.aio.AioRpcError):
        await health(address, "")


async def test_a_port_in_use_is_told_with_its_address(config) -> None:
    async with Kit(config("orders")) as kit:
        address = await kit.serve()
        host, _, port = address.rpartition(":")
        async with Kit(config("orders", listen=(host, int(port)))) as second:
            with pytest.raises(BindError, match=rf"{host}:{port} .*in use"):
                await second.serve()


def test_bad_configuration_ends_with_64(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        raise ConfigError(["GOSSAMER_SERVICE: expected a name, found ''"])

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == 64
    assert capsys.readouterr().err == "bad configuration:\n  GOSSAMER_SERVICE: expected a name, found ''\n"


def test_an_address_that_can_not_be_had_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        raise BindError("in use")

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert (ended.value.code, capsys.readouterr().err) == (1, "in use\n")


async def test_logs_are_json_while_a_kit_runs(config, capsys: pytest.CaptureFixture[str]) -> None:
    async with Kit(config("orders")):
        logging.getLogger("orders").warning("out of %s", "stock", extra={"product": "p1"})
        logging.getLogger("orders").error("failed", exc_info=ValueError("why"))
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first["time"].endswith("Z")
    del first["time"]
    assert first == {
        "level": "warning",
        "service": "orders",
        "instance": "orders-1",
        "message": "out of stock",
        "product": "p1",
    }
    assert second["stack"].endswith("ValueError: why")


SERVICE = """
import asyncio, time
from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Kit, run

class Servicer(ProbeServiceServicer):
    async def Echo(self, request, context):
        return pb.EchoResponse()

    async def Wait(self, request, context):
        print("waiting", flush=True)
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 600) for _ in range(100)))

async def main():
    settings = dict(drain=0.1, span_delay=600, metric_interval=600, telemetry=TELEMETRY)
    async with Kit(Config(service="orders", instance="orders-1", static={}, **settings)) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, Servicer())
        await kit.join()
        await kit.wait()

run(main)
"""


@asynccontextmanager
async def running(telemetry: str | None) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """Run a service as a process of its own, with a client of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVICE.replace("TELEMETRY", repr(telemetry)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            address = json.loads(await process.stdout.readline())["address"]
            async with grpc.aio.insecure_channel(address) as channel:
                yield process, ProbeServiceStub(channel)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_work_in_threads_does_not_keep_a_process_from_ending() -> None:
    async with running(telemetry=None) as (process, stub):
        call = stub.Wait(pb.WaitRequest())
        assert await process.stdout.readline() == b"waiting\n"
        process.terminate()
        assert await process.wait() == 0
        assert await call.code() != grpc.StatusCode.OK


async def test_a_signal_while_telemetry_is_flushed_changes_nothing() -> None:
    """The collector takes connections and never answers, so that the flush lasts as long as it may."""
    flushing = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flushing.set()
        await reader.read()
        writer.close()

    collector = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{collector.sockets[0].getsockname()[1]}"
    async with collector, running(telemetry=url) as (process, stub):
        await stub.Echo(pb.EchoRequest())
        process.terminate()
        await flushing.wait()
        process.terminate()
        assert await process.wait() == 0
