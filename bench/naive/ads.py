"""The control plane that everyone writes first, to compare with: on a change, every stream gets a response made anew.

    ads.py FILE

It knows assignments only, keeps no account of what a client has, and takes every request after the first for an ACK.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

EVERY = 0.2


class Naive(AggregatedDiscoveryServiceServicer):  # type: ignore[misc]  # xds-protos has no types
    """Streams the assignments of a file."""

    def __init__(self, path: Path) -> None:
        """Read from `path`."""
        self._path = path
        self._text = ""
        self._services: dict[str, Any] = {}
        self._changed = asyncio.Condition()

    async def follow(self) -> None:
        """Read the file again and again, and wake every stream when it changed."""
        while True:
            text = self._path.read_text()
            if text != self._text:
                async with self._changed:
                    self._text, self._services = text, json.loads(text)["services"]
                    self._changed.notify_all()
            await asyncio.sleep(EVERY)

    async def StreamAggregatedResources(
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        """Answer the first request, and then every change."""
        del context
        first = await anext(aiter(requests))
        acknowledging = asyncio.create_task(_drop(requests))
        text = ""
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._text != text)  # noqa: B023 - waited for right here
                    text = self._text
                yield self._response(first.type_url, first.resource_names)
        finally:
            acknowledging.cancel()

    def _response(self, type_url: str, names: list[str]) -> DiscoveryResponse:
        response = DiscoveryResponse(type_url=type_url, version_info="1", nonce="1")
        for name in names:
            assignment = ClusterLoadAssignment(cluster_name=name)
            locality = assignment.endpoints.add()
            for instance in self._services[name]:
                host, port = instance["address"].split(":")
                address = locality.lb_endpoints.add().endpoint.address.socket_address
                address.address, address.port_value = host, int(port)
            response.resources.add().Pack(assignment)
        return response


async def _drop(requests: AsyncIterator[Any]) -> None:
    async for _ in requests:
        pass


async def main(path: Path) -> None:
    """Serve until ended."""
    naive, server = Naive(path), grpc.aio.server()
    add_AggregatedDiscoveryServiceServicer_to_server(naive, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"message": "announce", "addresses": {"grpc": f"127.0.0.1:{port}"}}), flush=True)
    await naive.follow()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
