"""What the control plane exports about itself, taken in by an OTLP receiver."""

import asyncio
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.rpc.status_pb2 import Status
from harness.ports import free_ports
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc

from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


class Receiver(metrics_grpc.MetricsServiceServicer):
    """Keeps the newest points of each metric. `async with` binds it."""

    def __init__(self):
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.points: dict[str, list[Any]] = {}
        self._arrived = asyncio.Condition()
        self._server = grpc.aio.server()

    async def __aenter__(self):
        metrics_grpc.add_MetricsServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)
        await self._server.start()
        return self

    async def __aexit__(self, *_):
        await self._server.stop(None)

    async def Export(self, request, _):
        async with self._arrived:
            for group in request.resource_metrics:
                assert group.resource.attributes
                for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                    self.points[metric.name] = [*metric.sum.data_points, *metric.gauge.data_points]
            self._arrived.notify_all()
        return metrics.ExportMetricsServiceResponse()

    async def until(self, condition):
        try:
            async with asyncio.timeout(15), self._arrived:
                await self._arrived.wait_for(lambda: condition(self.points))
        except TimeoutError as error:
            raise AssertionError(f"not exported within 15 s: {self.points}") from error


def attributes(point):
    return {each.key: each.value.string_value for each in point.attributes}


@pytest.fixture
async def receiver():
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def control(receiver):
    settings = Settings(listen="127.0.0.1:0", otlp=f"http://{receiver.address}", otlp_interval=0.2)
    source = MemorySource()
    source.put("shop", [])
    async with ControlPlane(settings, source) as control:
        yield control


async def refuse(stream, reason):
    """Refuse the next response of a stream."""
    response = await stream.read()
    request = discovery_pb2.DiscoveryRequest(
        type_url=response.type_url, resource_names=["shop"], response_nonce=response.nonce
    )
    request.error_detail.CopyFrom(Status(code=3, message=reason))
    await stream.write(request)


async def test_a_nack_is_counted_with_node_type_and_reason(control, receiver):
    """What a client refuses is a point of gossamer.xds.nacks; its reason is cut."""
    async with grpc.aio.insecure_channel(control.address) as channel:
        stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
        request = discovery_pb2.DiscoveryRequest(type_url=CLUSTER, resource_names=["shop"])
        request.node.id = "test/picky/1"
        await stream.write(request)
        await refuse(stream, "no such policy " + "x" * 500)
        await receiver.until(lambda points: points.get("gossamer.xds.nacks"))
        (point,) = receiver.points["gossamer.xds.nacks"]
        assert point.as_int == 1
        assert attributes(point) == {
            "node": "test/picky/1",
            "type": "envoy.config.cluster.v3.Cluster",
            "reason": "no such policy " + "x" * 185,
        }


async def test_clients_and_refusals_are_gauges(control, receiver):
    """How many clients there are is exported, and follows those that go."""

    def clients(points):
        return [point.as_int for point in points.get("gossamer.xds.clients", ())]

    async with grpc.aio.insecure_channel(control.address) as channel:
        stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
        await stream.write(discovery_pb2.DiscoveryRequest(type_url=CLUSTER, resource_names=["shop"]))
        await receiver.until(lambda points: clients(points) == [1])
    await receiver.until(lambda points: clients(points) == [0])
    assert {name for name in receiver.points if name.startswith("gossamer.")} >= {
        "gossamer.mesh.age",
        "gossamer.mesh.held",
        "gossamer.policy.refusals",
    }
