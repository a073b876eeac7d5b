"""gossamer.mesh.v1.TrafficService: where calls go, and what is done to them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from gossamer.mesh.v1 import traffic_pb2, traffic_pb2_grpc
from gossamer_mesh.control.call_policies import CallPolicies
from gossamer_mesh.control.validation import require_valid
from gossamer_mesh.model import Audience

Context = grpc.aio.ServicerContext[Any, Any]


class TrafficApi(traffic_pb2_grpc.TrafficServiceServicer):
    """Answers from what is planned for clients."""

    def __init__(self, call_policies: CallPolicies) -> None:
        self._call_policies = call_policies

    async def WatchCallPolicies(
        self, request: traffic_pb2.WatchCallPoliciesRequest, context: Context
    ) -> AsyncIterator[traffic_pb2.WatchCallPoliciesResponse]:
        """Stream what a kit has to do to the calls of some services, from when the mesh was read completely once."""
        await require_valid(request, context)
        audience = Audience(zone=request.zone, caller=request.caller)
        async with aclosing(self._call_policies.watch(audience, request.services)) as policies:
            async for changed in policies:
                yield traffic_pb2.WatchCallPoliciesResponse(changed=changed)
