"""The load reporting service that clients expect where calls are limited. It listens, and asks for nothing.

Java counts calls against a limit only while it reports load, and without somebody to report to, every client keeps
trying (xds.md 7.3, item 3). Each stream is answered once, with no clusters: clients then have nothing to send.
"""

import asyncio
from typing import Any

import grpc
from envoy.service.load_stats.v3.lrs_pb2 import LoadStatsResponse
from google.protobuf.duration_pb2 import Duration

SERVICE = "envoy.service.load_stats.v3.LoadReportingService"

INTERVAL = 60
"""Seconds between the reports that clients may send."""

ANSWER = LoadStatsResponse(load_reporting_interval=Duration(seconds=INTERVAL)).SerializeToString()

Context = grpc.aio.ServicerContext[Any, Any]


class LoadReports:
    """Takes reports and drops them."""

    def __init__(self) -> None:
        self._end = asyncio.Event()

    def end(self) -> None:
        """End every stream; clients come back when there is a control plane again."""
        self._end.set()

    def handler(self) -> grpc.GenericRpcHandler:
        """Make the handler to add to a server. It takes and gives bytes."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._serve)
        return grpc.method_handlers_generic_handler(SERVICE, {"StreamLoadStats": method})

    async def _serve(self, _: object, context: Context) -> None:
        reading, ending = asyncio.ensure_future(self._read(context)), asyncio.ensure_future(self._end.wait())
        try:
            await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            ending.cancel()

    async def _read(self, context: Context) -> None:
        """Answer the first request, and take in the rest."""
        if await context.read() is not grpc.aio.EOF:
            await context.write(ANSWER)
        while await context.read() is not grpc.aio.EOF:
            pass
