"""The control plane that everyone writes first, to compare with: on a change, every stream gets a response made anew.

    ads.py CONSUL SERVICE

It knows the assignment of one service only, keeps no account of what a client has, takes every request after the first
for an ACK, and checks nothing of what Consul says.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse


class Naive(AggregatedDiscoveryServiceServicer):  # type: ignore[misc]  # xds-protos has no types
    """Streams the assignment of a service."""

    def __init__(self, consul: str, service: str) -> None:
        self._url = f"{consul}/v1/health/service/{service}"
        self._service = service
        self._instances: list[Any] = []
        self._index = "0"
        self._changed = asyncio.Condition()

    async def follow(self) -> None:
        """Ask Consul again and again, and wake every stream when it answers."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(self._url, params={"index": self._index, "wait": "60s"}) as answer:
                    instances = await answer.json()
                    index = answer.headers["X-Consul-Index"]
                async with self._changed:
                    self._instances, self._index = instances, index
                    self._changed.notify_all()

    async def StreamAggregatedResources(
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        """Answer the first request, and then every change."""
        del context
        first = await anext(aiter(requests))
        acknowledging = asyncio.create_task(_drop(requests))
        index = "0"
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._index != index)  # noqa: B023 - waited for right here
                    index = self._index
                yield self._response(first.type_url)
        finally:
            acknowledging.cancel()

    def _response(self, type_url: str) -> DiscoveryResponse:
        response = DiscoveryResponse(type_url=type_url, version_info="1", nonce="1")
        assignment = ClusterLoadAssignment(cluster_name=self._service)
        locality = assignment.endpoints.add()
        for instance in self._instances:
            address = locality.lb_endpoints.add().endpoint.address.socket_address
            address.address, address.port_value = instance["Service"]["Address"], instance["Service"]["Port"]
        response.resources.add().Pack(assignment)
        return response


async def _drop(requests: AsyncIterator[Any]) -> None:
    async for _ in requests:
        pass


async def main(consul: str, service: str) -> None:
    """Serve until ended."""
    naive, server = Naive(consul, service), grpc.aio.server()
    add_AggregatedDiscoveryServiceServicer_to_server(naive, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "announce", "addresses": {"grpc": f"127.0.0.1:{port}"}}), flush=True)
    await naive.follow()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
