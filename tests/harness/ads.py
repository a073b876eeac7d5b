"""A raw xDS stream, for what a well-behaved client never does: not reading, not answering, refusing."""

import asyncio
from types import TracebackType
from typing import Self

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

DEADLINE = 60.0
"""Seconds until a response that a test waits for must be there."""

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ("grpc.http2.bdp_probe", 0),  # whose window stays at 64 KB
    ("grpc.max_receive_message_length", -1),
)

LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


class Stream:
    """One stream to a control plane."""

    def __init__(self, address: str, node: str = "test/raw/1", cluster: str = "", zone: str = "") -> None:
        self._channel = grpc.aio.insecure_channel(address, OPTIONS)
        self._node = Node(id=node, cluster=cluster, user_agent_name="raw", user_agent_version="1")
        self._node.locality.zone = zone
        self._call = AggregatedDiscoveryServiceStub(self._channel).StreamAggregatedResources()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call.cancel()
        await self._channel.close()

    async def ask(self, type_url: str, *names: str, nonce: str = "", version: str = "", error: str = "") -> None:
        """Send one request."""
        request = DiscoveryRequest(
            node=self._node, type_url=type_url, resource_names=names, response_nonce=nonce, version_info=version
        )
        if error:
            request.error_detail.message = error
        await self._call.write(request)

    async def accept(self, response: DiscoveryResponse, *names: str) -> None:
        """ACK a response, with these names from now on."""
        await self.ask(response.type_url, *names, nonce=response.nonce, version=response.version_info)

    async def refuse(self, response: DiscoveryResponse, *names: str, reason: str) -> None:
        """NACK a response."""
        await self.ask(response.type_url, *names, nonce=response.nonce, error=reason)

    async def take(self) -> DiscoveryResponse:
        """Wait for the next response."""
        async with asyncio.timeout(DEADLINE):
            response = await self._call.read()
        assert isinstance(response, DiscoveryResponse), "the stream ended"
        return response

    async def code(self) -> grpc.StatusCode:
        """Wait for the end of the stream, and give its status."""
        async with asyncio.timeout(DEADLINE):
            code: grpc.StatusCode = await self._call.code()
        return code
