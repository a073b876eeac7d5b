"""gossamer.mesh.v1.TrafficService/WatchCallPolicies: what kits are told, from official clients."""

import asyncio
import contextlib
import json
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status
from harness.ads import ROUTES, Stream

from gossamer.mesh.v1 import traffic_pb2
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer_mesh.control.plane import ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.model import Entries, Instance

QUIET = 0.3
"""Seconds in which nothing is to come."""


CONTRACT = "gossamer.probe.v1.ProbeService"
IMAGE = Path(__file__).parents[2] / "gen" / "contracts.binpb"


class Plane:
    """A control plane on a mesh in memory, with a client of its API."""

    def __init__(self, address, source, channel):
        self.address, self.source = address, source
        self._stub = TrafficServiceStub(channel)

    def put(self, service, *ports):
        self.source.put(
            service, [Instance(id=str(port), host="127.0.0.1", port=port, contracts=(CONTRACT,)) for port in ports]
        )

    def defaults(self, **written):
        self.source.write(Entries(extras={"defaults": json.dumps(written)}))

    def watch(self, *services, **more):
        return self._stub.WatchCallPolicies(traffic_pb2.WatchCallPoliciesRequest(services=services, **more), timeout=30)


@contextlib.asynccontextmanager
async def serving():
    source = MemorySource()
    async with (
        ControlPlane(Settings(listen="127.0.0.1:0", contracts=IMAGE), source) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        yield Plane(plane.address, source, channel)


async def timeouts(watch):
    """Read what changed: by service, the different timeouts of its rules."""
    async with asyncio.timeout(10):
        response = await watch.read()
    return {
        policy.service: sorted({rule.timeout.ToTimedelta().total_seconds() for rule in policy.rules})
        for policy in response.changed
    }


async def test_a_watch_begins_with_every_policy_and_goes_on_with_those_that_changed():
    async with serving() as plane:
        plane.put("catalog", 1)
        watch = plane.watch("catalog", "nobody")
        assert await timeouts(watch) == {"catalog": [], "nobody": []}
        plane.defaults(timeout="2s")
        assert await timeouts(watch) == {"catalog": [2.0]}
        plane.defaults()
        assert await timeouts(watch) == {"catalog": []}


async def test_nothing_is_told_before_the_mesh_was_read():
    async with serving() as plane:
        first = asyncio.create_task(timeouts(plane.watch("catalog")))
        await asyncio.wait([first], timeout=QUIET)
        assert not first.done()
        plane.put("orders", 1)
        assert await first == {"catalog": []}


async def test_instances_that_come_and_go_are_no_change():
    async with serving() as plane:
        plane.put("catalog", 1)
        plane.defaults(timeout="2s")
        watch = plane.watch("catalog")
        assert await timeouts(watch) == {"catalog": [2.0]}
        plane.put("catalog", 1, 2)
        second = asyncio.create_task(timeouts(watch))
        await asyncio.wait([second], timeout=QUIET)
        assert not second.done()
        plane.defaults(timeout="3s")
        assert await second == {"catalog": [3.0]}


async def test_a_watch_of_nothing_is_told_nothing_and_stays():
    async with serving() as plane:
        plane.put("catalog", 1)
        read = asyncio.ensure_future(plane.watch().read())
        await asyncio.wait([read], timeout=QUIET)
        assert not read.done()
        read.cancel()


async def test_a_watch_ends_with_the_control_plane():
    async with contextlib.AsyncExitStack() as ending:
        source = MemorySource()
        plane = await ending.enter_async_context(ControlPlane(Settings(listen="127.0.0.1:0", contracts=IMAGE), source))
        async with grpc.aio.insecure_channel(plane.address) as channel:
            served = Plane(plane.address, source, channel)
            served.put("catalog", 1)
            watch = served.watch("catalog")
            await watch.read()
            await ending.aclose()
            assert await watch.read() is grpc.aio.EOF


async def test_a_caller_is_told_the_same_moment_as_its_xds_stream():
    async with serving() as plane:
        plane.put("catalog", 1)
        watch = plane.watch("catalog", caller="web", zone="a")
        await watch.read()
        async with Stream(plane.address) as stream:
            await stream.ask(ROUTES, "catalog")
            await stream.take()
            plane.defaults(timeout="2s")
            assert await timeouts(watch) == {"catalog": [2.0]}
            assert (await stream.take()).type_url == ROUTES


async def test_a_request_that_breaks_a_rule_is_refused_with_its_fields():
    async with serving() as plane:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await plane.watch("catalog", "", caller="x" * 256).read()
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        fields = BadRequest()
        rpc_status.from_call(failed.value).details[1].Unpack(fields)
        assert [violation.field for violation in fields.field_violations] == ["services[1]", "caller"]


async def test_a_kit_is_told_how_to_make_the_attempts_of_unary_calls():
    async with serving() as plane:
        plane.put("catalog", 1)
        plane.defaults(attempt_timeout="100ms", timeout="1s", retry_budget={"percent": 20, "min_per_second": 2})
        (policy,) = (await plane.watch("catalog").read()).changed
        assert policy.retry_budget == traffic_pb2.RetryBudget(percent=20, min_per_second=2)
        (rule,) = [rule for rule in policy.rules if rule.match.path == f"/{CONTRACT}/Fail"]
        assert rule == traffic_pb2.CallRule(
            match={"path_comparison": "COMPARISON_EXACT", "path": f"/{CONTRACT}/Fail"},
            timeout={"seconds": 1},
            retry={"statuses": ["UNAVAILABLE"], "times": 3},
            attempt_timeout={"nanos": 100_000_000},
        )


async def test_a_caller_that_entries_begin_to_name_is_told_only_what_is_other_than_before():
    fault = '[{"from": "web", "method": "a.B/C", "abort": {"status": "INTERNAL"}}]'
    slow = json.dumps({"timeout": "2s"})
    async with serving() as plane:
        plane.put("catalog", 1)
        plane.source.write(Entries(extras={"defaults/catalog": slow}))
        watch = plane.watch("catalog", "orders", caller="web")
        assert await timeouts(watch) == {"catalog": [2.0], "orders": []}
        plane.source.write(Entries(extras={"defaults/catalog": slow, "faults/orders": fault}))
        second = asyncio.create_task(timeouts(watch))
        await asyncio.wait([second], timeout=QUIET)
        assert not second.done()
        plane.source.write(Entries(extras={"faults/orders": fault}))
        assert await second == {"catalog": []}
