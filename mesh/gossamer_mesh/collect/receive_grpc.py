"""OTLP over gRPC, with health and reflection. A thin shell around ``intake``: bytes in, a status out."""

from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gossamer_mesh import reflection
from gossamer_mesh.collect import otlp
from gossamer_mesh.collect.intake import RETRY_SECONDS, Intake, Overloaded
from gossamer_mesh.collect.settings import Address
from gossamer_mesh.errors import Problem

_GRACE: Final = 2.0
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a port in use must fail
    ("grpc.max_receive_message_length", otlp.MAX_PAYLOAD),
    ("grpc.max_concurrent_streams", 32),  # what a connection may have in memory before the queue is asked ...
    ("grpc.http2.bdp_probe", 0),  # ... and of each no more than 64 KiB ahead, as windows don't grow
)

Context = grpc.aio.ServicerContext[bytes, otlp.Response]


class GrpcReceiver:
    """The gRPC server: ``start`` it, ``stop`` it."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=_OPTIONS)
        self._services = [signal.service for signal in otlp.SIGNALS]

    async def start(self, address: Address) -> int:
        """Bind and serve; give the port.

        Raises:
            Problem: the address can't be bound.
        """
        self._server.add_generic_rpc_handlers([self._exporter(signal) for signal in otlp.SIGNALS])
        self._server.add_generic_rpc_handlers(reflection.handlers(*self._services))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            port = self._server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise Problem(f"--grpc {address}: can't be bound: stop what uses it, or pass another address") from error
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Answer what is under way, then end."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(_GRACE)

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", *self._services):
            await self._health.set(service, status)

    def _exporter(self, signal: otlp.Signal[Any]) -> grpc.GenericRpcHandler:
        async def export(payload: bytes, context: Context) -> otlp.Response:
            try:
                return await self._intake.take(signal, payload, otlp.Encoding.PROTOBUF)
            except otlp.Malformed as error:
                status = otlp.malformed(str(error))
            except Overloaded as error:
                status = otlp.unavailable(str(error), RETRY_SECONDS)
            await context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError  # abort_with_status has raised

        method: grpc.RpcMethodHandler[bytes, otlp.Response] = grpc.unary_unary_rpc_method_handler(
            export,
            request_deserializer=None,  # bytes: the writer's thread reads them
            response_serializer=signal.response.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(signal.service, {"Export": method})
