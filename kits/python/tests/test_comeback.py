"""The streams to the control plane lead through the process. How soon it is back is seen in tests/network."""

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_csds import ClientStatusDiscoveryServiceServicer
from harness.control import ControlPlane, followers
from harness.instance import Instance

from gossamer.probe.v1 import probe_pb2 as pb
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub
from gossamer_kit import Config, Kit

CONTENT, FILE = "GRPC_XDS_BOOTSTRAP_CONFIG", "GRPC_XDS_BOOTSTRAP"
WITHIN = 15.0


@pytest.fixture
async def shop() -> str:
    """A service of the test's own name, while nothing of this process follows the mesh.

    gRPC's core shares what it follows by name and its bootstrap by all, also with a test just before.
    """
    async with asyncio.timeout(WITHIN):
        while ClientStatusDiscoveryServiceServicer.FetchClientStatus(None, None).config:
            await asyncio.sleep(0.01)
    return f"shop-{secrets.token_hex(4)}"


@pytest.fixture
async def control(tmp_path, shop) -> AsyncIterator[ControlPlane]:
    """A control plane that knows one instance of the shop."""
    async with Instance("a") as a:
        mesh = tmp_path / "mesh.json"
        mesh.write_text(
            json.dumps({"services": {name: [{"id": "a", "address": a.address}] for name in (shop, f"{shop}-2")}})
        )
        async with ControlPlane(tmp_path / "control", "", "--file", str(mesh)) as control:
            yield control


@pytest.fixture
def configured(monkeypatch) -> Any:
    """Sets a bootstrap where gRPC finds it, and reads the configuration."""

    def configure(bootstrap: str) -> Config:
        monkeypatch.setenv("GOSSAMER_SERVICE", "web")
        monkeypatch.setenv(CONTENT, bootstrap)
        return Config.from_environment()

    return configure


async def clients(control: ControlPlane) -> set[str]:
    """Give the nodes that follow the mesh."""
    return {each.node_id for each in await followers(control.address)}


async def echoed(stub: Any) -> grpc.StatusCode:
    return await stub.Echo(pb.EchoRequest(), timeout=10).code()


async def test_a_service_that_was_never_called_before_fails_at_once_while_there_is_no_control_plane(
    configured, control, shop
) -> None:
    async with Kit(configured(control.bootstrap())) as kit:
        assert await echoed(kit.client(ProbeServiceStub, shop)) == grpc.StatusCode.OK
        await control.end(signal.SIGKILL)
        begin = time.monotonic()
        assert await echoed(kit.client(ProbeServiceStub, f"no-{shop}")) == grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - begin < 3, "it must not wait for its deadline of 10 s"
        assert await echoed(kit.client(ProbeServiceStub, shop)) == grpc.StatusCode.OK


async def test_what_is_opened_after_another_was_closed_follows_too(configured, control, shop) -> None:
    """The core gives it the bootstrap of the other for as long as anything is left that uses it."""
    left = grpc.aio.insecure_channel(f"xds:///{shop}")
    async with left:
        for service in (shop, f"{shop}-2"):
            async with Kit(configured(control.bootstrap())) as kit:
                assert await echoed(kit.client(ProbeServiceStub, service)) == grpc.StatusCode.OK
                assert await echoed(ProbeServiceStub(left)) == grpc.StatusCode.OK


async def test_the_control_plane_sees_the_client_as_it_is(configured, control, shop) -> None:
    async with Kit(configured(control.bootstrap("test/web/7"))) as kit:
        assert await echoed(kit.client(ProbeServiceStub, shop)) == grpc.StatusCode.OK
        assert await clients(control) == {"test/web/7"}
    async with asyncio.timeout(WITHIN):
        while await clients(control):
            await asyncio.sleep(0.02)


async def test_a_file_is_read_too_and_the_environment_is_given_back(
    configured, control, shop, tmp_path, monkeypatch
) -> None:
    (tmp_path / "bootstrap.json").write_text(control.bootstrap())
    monkeypatch.setenv(FILE, str(tmp_path / "bootstrap.json"))
    before = dict(os.environ, **{CONTENT: "{}", "GOSSAMER_SERVICE": "web"})
    async with Kit(configured("{}")) as kit:
        assert FILE not in os.environ
        assert await echoed(kit.client(ProbeServiceStub, shop)) == grpc.StatusCode.OK
    assert os.environ == before


async def test_what_is_not_in_plaintext_is_left_to_grpc(configured) -> None:
    bootstrap = {"xds_servers": [{"server_uri": "localhost:1", "channel_creds": [{"type": "tls"}]}], "node": {}}
    async with Kit(configured(json.dumps(bootstrap))):
        assert json.loads(os.environ[CONTENT]) == bootstrap
