"""The gRPC server of an instance: what it serves, its limits, and where it listens. It never decides when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from gossamer_kit import _health, _reflection
from gossamer_kit._errors import BindError
from gossamer_kit._handlers import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gossamer_kit._recording import Recorder

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_concurrent_streams", 1000),
    ("grpc.max_metadata_size", 16 * 1024),  # above this some requests are refused, and
    ("grpc.absolute_max_metadata_size", 16 * 1024),  # above this all are
    (
        "grpc.http2.min_ping_interval_without_data_ms",
        5_000,
    ),  # pings every 10 s pass, even bunched
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),  # two instances on one port is a mistake, not load balancing
]


class Server:
    """A grpc.aio server that is built before it listens."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self.contracts: list[str] = []
        self.health = _health.Health()
        self._server: grpc.aio.Server | None = None

    def add(self, register: Callable[[Any, Any], None], servicer: Any) -> None:
        """Add a contract with the `add_..._to_server` that was generated for it."""
        register(servicer, self)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Take nothing: generated code passes the same methods a second time, by name."""

    def add_registered_method_handlers(
        self, contract: str, methods: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take one contract's methods from generated code.

        They are served by one generic handler. grpc.aio waits on a future for every registered method with each call,
        which costs more the more methods there are.
        """
        self.contracts.append(contract)
        for name, handler in methods.items():
            path = f"/{contract}/{name}"
            self._methods[path] = wrap(path, handler, self._recorder)

    async def listen(self, host: str, port: int) -> int:
        """Bind and answer. Returns the port. Raises BindError when the address can't be had."""
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers([_Methods(self._methods)])
        health = _OnlyGeneric(server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, health)
        server.add_generic_rpc_handlers(_reflection.handlers([*self.contracts, _health.CONTRACT]))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = server.add_insecure_port(address)
        except RuntimeError as error:
            raise BindError(
                f"expected to listen on {address} (GOSSAMER_LISTEN), but it can't be had; "
                "is it in use? Port 0 takes any that is free"
            ) from error
        await self.health.begin(self.contracts)
        await server.start()
        self._server = server
        return bound

    async def stop(self, grace: float | None) -> None:
        """Take no more calls, wait at most `grace` seconds for those that run, then cancel them."""
        self.health.end_watches()
        if self._server is not None:
            await self._server.stop(grace)


class _Methods(grpc.GenericRpcHandler):
    """Finds a method by its path."""

    def __init__(self, methods: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._methods = methods

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._methods.get(handler_call_details.method)


class _OnlyGeneric:
    """Keeps generated code from registering methods one by one."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, contract: str, methods: Any) -> None:
        pass
