"""Envoy itself as a client: calls through it, and a cluster that changes while its endpoints do not.

Envoy waits for the endpoints of a cluster that changed, also if they did not: for 15 seconds, unless they are sent
again (go-control-plane #245, envoy #13009). The mesh is in memory.
"""

import asyncio
import contextlib
import json

import grpc
import pytest
from harness.envoy import Envoy, bring
from harness.instance import Instance
from harness.ports import free_ports

from gossamer.probe.v1.probe_pb2 import EchoRequest
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub
from gossamer_mesh import model
from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.xds.session import Session

pytestmark = pytest.mark.timeout(300)

SOON_S = 3.0
"""Seconds within which what changed must be in use; Envoy by itself would wait 15."""

EXTENSIONS = "type.googleapis.com/envoy.extensions"
ADS = {"ads": {}, "resource_api_version": "V3"}


def place(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def configuration(control, listening):
    """Make what Envoy has to know: a listener with the routes of the shop, and where all else is told."""
    manager = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "shop",
        "rds": {"config_source": ADS, "route_config_name": "shop"},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"}}],
    }
    listener = {
        "name": "shop",
        "address": place(listening),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    http2 = {
        "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "control",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "control",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": place(control)}}]}],
        },
        "typed_extension_protocol_options": {http2["@type"].rpartition("/")[2]: http2},
    }
    service = {"envoy_grpc": {"cluster_name": "control"}}
    ads = {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [service]}
    return {
        "node": {"id": "test/envoy/1", "cluster": "envoy"},
        "dynamic_resources": {"ads_config": ads, "cds_config": ADS},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


class Following:
    """An Envoy that follows a mesh in memory."""

    def __init__(self, source, envoy, stub):
        self.source, self._envoy, self._stub = source, envoy, stub

    def put(self, *instances):
        """Have these run the shop."""
        ports = {each.name: int(each.address.rpartition(":")[2]) for each in instances}
        self.source.put("shop", [model.Instance(id=id_, host="127.0.0.1", port=port) for id_, port in ports.items()])

    def examine(self, seconds):
        """Have outliers of the shop looked for as often: its cluster changes, and its endpoints do not."""
        written = json.dumps({"outlier": {"interval": f"{seconds}s"}})
        self.source.write(model.Entries(extras={"defaults/shop": written}))

    async def answered(self):
        return (await self._stub.Echo(EchoRequest(), timeout=5)).hop.instance

    async def until_answered(self, *instances):
        async with asyncio.timeout(SOON_S):
            while {await self.answered() for _ in range(6)} != set(instances):
                await asyncio.sleep(0.01)

    async def until_examined(self, seconds, state="active"):
        """Wait until Envoy has the cluster of the shop with that interval, in that state."""
        async with asyncio.timeout(SOON_S):
            while f"{seconds}s" not in await self._intervals(state):
                await asyncio.sleep(0.02)

    async def _intervals(self, state):
        found = json.loads(await self._envoy.get(f"/config_dump?resource=dynamic_{state}_clusters"))
        clusters = [each["cluster"] for each in found.get("configs", ())]
        return [each["outlier_detection"]["interval"] for each in clusters if each["name"] == "shop"]


@contextlib.asynccontextmanager
async def following(folder):
    """An Envoy that calls instance a, and examines it every 7 seconds."""
    program = await asyncio.to_thread(bring)
    (listening,) = free_ports(1)
    source = MemorySource()
    async with Instance("a") as a, contextlib.AsyncExitStack() as stack:
        plane = ControlPlane(Settings(listen="127.0.0.1:0", second_look=0), source)
        await stack.enter_async_context(plane)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{listening}"))
        port = int(plane.address.rpartition(":")[2])
        envoy = Envoy.of(folder / "envoy", program, configuration(port, listening))
        mesh = Following(source, envoy, ProbeServiceStub(channel))
        mesh.put(a)
        mesh.examine(7)
        await stack.enter_async_context(envoy)
        await mesh.until_answered("a")
        await mesh.until_examined(7)
        yield mesh


async def test_calls_through_it_follow_the_instances(tmp_path):
    async with following(tmp_path) as mesh, Instance("b") as b:
        mesh.put(b)
        await mesh.until_answered("b")


async def test_a_cluster_that_changes_while_its_endpoints_do_not_is_in_use_at_once(tmp_path):
    async with following(tmp_path) as mesh:
        for seconds in (8, 9):
            mesh.examine(seconds)
            await mesh.until_examined(seconds)
        assert await mesh.answered() == "a"


async def test_control_where_its_endpoints_are_not_sent_again_it_waits_for_them(tmp_path, monkeypatch):
    async with following(tmp_path) as mesh:
        monkeypatch.setattr(Session, "_repeat_assignments", lambda *_: None)
        mesh.examine(8)
        await mesh.until_examined(8, "warming")
        with pytest.raises(TimeoutError):
            await mesh.until_examined(8)
        await mesh.until_examined(8, "warming")
        await mesh.until_examined(7)
        assert await mesh.answered() == "a"
