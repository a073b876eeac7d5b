"""An instance of a service on plain grpc.aio, in the test's own process: no kit, so that only the mesh is tested."""

from types import TracebackType
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gossamer.probe.v1 import probe_pb2, probe_pb2_grpc

CONTRACT = "gossamer.probe.v1.ProbeService"

STATUSES = health_pb2.HealthCheckResponse


class Instance(probe_pb2_grpc.ProbeServiceServicer):
    """Serves the probe contract and health. `Echo` is marked as free of side effects, `Wait` is not marked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""
        self.failing = False
        """Whether it answers every call with UNAVAILABLE."""
        self.calls: dict[str, int] = {"Echo": 0, "Wait": 0}
        """How many calls of each method came in, also those that failed."""
        self._health = HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start("127.0.0.1:0")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, address: str = "") -> None:
        """Serve, on the same address as before if none is given."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        probe_pb2_grpc.add_ProbeServiceServicer_to_server(self, self._server)
        await self.healthy()
        port = self._server.add_insecure_port(address or self.address)
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        """Stop at once; grpcio ends what is under way, and what comes in meanwhile, with CANCELLED."""
        if self._server:
            await self._server.stop(None)
            self._server = None

    async def healthy(self, *, healthy: bool = True) -> None:
        """Say SERVING or NOT_SERVING when asked for health."""
        await self._health.set("", STATUSES.SERVING if healthy else STATUSES.NOT_SERVING)

    async def Echo(self, request: Any, context: Any) -> probe_pb2.EchoResponse:
        """Tell who answered."""
        await self._count("Echo", context)
        return probe_pb2.EchoResponse(payload=request.payload, hop=probe_pb2.Hop(instance=self.name))

    async def Wait(self, request: Any, context: Any) -> probe_pb2.WaitResponse:
        """Tell who answered, without waiting."""
        del request
        await self._count("Wait", context)
        return probe_pb2.WaitResponse(hop=probe_pb2.Hop(instance=self.name))

    async def _count(self, method: str, context: Any) -> None:
        self.calls[method] += 1
        if self.failing:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")
