"""How soon gRPC's core is back after the control plane was away.

By itself, after a minute away, it looks again after up to half a minute more: its pauses grow by 1.6 up to two minutes,
for the connection and for the stream on it, and it takes no setting for them. So within this process its streams lead
here, where nothing is ever away, and from here to the control plane. A stream that ends is begun again by the core at
once; here it waits for the connection, which is tried every two seconds at most. What is sent is passed on as it is.

Only a client that was told something before is made to wait. One that comes while the control plane is away is told so
at once, and its calls fail instead of waiting for their deadline.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT, _FILE = "GRPC_XDS_BOOTSTRAP_CONFIG", "GRPC_XDS_BOOTSTRAP"
_VERSION_INFO = 1
"""The field of a DiscoveryRequest that says what the client accepted last, in envoy/service/discovery/v3."""

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_OPTIONS = [
    *_UNLIMITED,
    ("grpc.keepalive_time_ms", 300_000),  # as gRPC's own streams to a control plane
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


_free: list[str] = []
"""Addresses of this process that nothing serves any more. The core keeps a bootstrap for as long as anything follows
the mesh, which is a moment longer than its channels are open: what is opened in that moment must be led here, too."""


class Comeback:
    """Has gRPC's core reach the control plane through this process, from `start` to `close`."""

    def __init__(self, control: str, bootstrap: Mapping[str, Any]) -> None:
        """`control` is host:port of the control plane, and `bootstrap` what gRPC finds in the environment."""
        self._control = control
        self._bootstrap = bootstrap
        self._before: dict[str, str] = {}
        self._cleanup = AsyncExitStack()

    async def start(self) -> None:
        """Have channels that are opened from now on follow the mesh through here, if they would do so in plaintext."""
        server = self._bootstrap["xds_servers"][0]
        if [each["type"] for each in server.get("channel_creds", ())] != ["insecure"]:
            return
        control = await self._cleanup.enter_async_context(grpc.aio.insecure_channel(self._control, _OPTIONS))
        here = grpc.aio.server(handlers=(_Passing(control),), options=_UNLIMITED)
        address = _free.pop() if _free else _new_address()
        here.add_insecure_port(address)
        await here.start()
        self._cleanup.callback(_free.append, address)
        self._cleanup.push_async_callback(here.stop, None)
        self._before = {name: os.environ.pop(name) for name in (_CONTENT, _FILE) if name in os.environ}
        os.environ[_CONTENT] = json.dumps({**self._bootstrap, "xds_servers": [{**server, "server_uri": address}]})
        self._cleanup.callback(self._restore)

    async def close(self) -> None:
        """End all streams, and have things as they were."""
        await self._cleanup.aclose()

    def _restore(self) -> None:
        del os.environ[_CONTENT]
        os.environ.update(self._before)


def _new_address() -> str:
    """Give a socket that no other process of the machine has, and no proxy of the environment is asked for."""
    name = f"gossamer-{os.getpid()}-{secrets.token_hex(8)}"
    return f"unix-abstract:{name}" if sys.platform == "linux" else f"unix:{gettempdir()}/{name}"


class _Passing(grpc.GenericRpcHandler):
    """Takes streams of any method, and passes them on."""

    def __init__(self, to: grpc.aio.Channel) -> None:
        self._to = to

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            partial(self._pass_on, details.method)
        )
        return handler

    async def _pass_on(self, method: str, _: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        first: Any = await context.read()
        if first is grpc.aio.EOF:
            return
        call: grpc.aio.StreamStreamCall[bytes, bytes] = self._to.stream_stream(method)(
            wait_for_ready=_was_told_something(first)
        )
        asking = asyncio.ensure_future(_ask(first, context, call))
        try:
            async for response in call:
                await context.write(response)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        finally:
            asking.cancel()
            call.cancel()


async def _ask(first: Any, context: grpc.aio.ServicerContext[bytes, bytes], call: Any) -> None:
    """Pass requests on until there are no more, or nobody takes them."""
    request = first
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while request is not grpc.aio.EOF:
            await call.write(request)
            request = await context.read()
        await call.done_writing()


def _was_told_something(request: bytes) -> bool:
    """Tell whether the client that begins a stream with this request accepted something on one before."""
    fields: Any = UnknownFieldSet(Empty.FromString(request))
    return any(field.field_number == _VERSION_INFO and field.data for field in fields)
