"""The load reporting service on the wire: it answers once, asks for nothing, and takes whatever comes."""

import asyncio
import contextlib

import grpc
from envoy.service.load_stats.v3.lrs_pb2 import LoadStatsRequest, LoadStatsResponse
from envoy.service.load_stats.v3.lrs_pb2_grpc import LoadReportingServiceStub
from google.protobuf.duration_pb2 import Duration

from gossamer_mesh.xds import LoadReports


@contextlib.asynccontextmanager
async def reporting():
    reports, server = LoadReports(), grpc.aio.server()
    server.add_generic_rpc_handlers((reports.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(15):
        yield reports, LoadReportingServiceStub(channel).StreamLoadStats()
    await server.stop(None)


async def test_it_answers_once_and_takes_reports():
    async with reporting() as (_, call):
        for _ in range(3):
            await call.write(LoadStatsRequest())
        await call.done_writing()
        answers = [answer async for answer in call]
        assert answers == [LoadStatsResponse(load_reporting_interval=Duration(seconds=60))]
        assert await call.code() == grpc.StatusCode.OK


async def test_it_ends_its_streams_when_the_control_plane_does():
    async with reporting() as (reports, call):
        await call.write(LoadStatsRequest())
        await call.read()
        reports.end()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
