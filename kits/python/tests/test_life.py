"""The order in which an instance comes and goes, seen from inside."""

import asyncio
import json
import logging
import os
import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, add_ProbeServiceServicer_to_server
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
