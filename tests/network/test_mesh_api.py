"""gossamer.mesh.v1.MeshService, health and reflection of the control plane, from official clients and grpcurl."""

import asyncio
import contextlib
import json
import sys
import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status
from harness.ads import ASSIGNMENT, Stream
from harness.process import Child

from gossamer.mesh.v1 import mesh_pb2
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.control.plane import BindError, ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.local.parts import have
from gossamer_mesh.model import Health, Instance

DRAINING = Health.MAINTENANCE


class Plane:
    """A control plane on a mesh in memory, with a client of its API."""

    def __init__(self, address, source, channel):
        self.address, self.source = address, source
        self.mesh = MeshServiceStub(channel)
        self.health = HealthStub(channel)

    def put(self, service, **instances):
        """Set a service's instances: id=health."""
        self.source.put(
            service,
            [Instance(id=id_, host="127.0.0.1", port=ord(id_[-1]), health=health) for id_, health in instances.items()],
        )

    async def drain(self, instance, within=0.0):
        longest = Duration()
        longest.FromMicroseconds(int(within * 1e6))
        request = mesh_pb2.AwaitDrainRequest(service="catalog", instance_id=instance, max_wait=longest)
        return await self.mesh.AwaitDrain(request, timeout=20)

    async def follow(self, stream, *, accept=True):
        """Have a client follow the catalog and accept what it is sent first."""
        await stream.ask(ASSIGNMENT, "catalog")
        response = await stream.take()
        if accept:
            await stream.accept(response, "catalog")
        return response


@contextlib.asynccontextmanager
async def serving(settle=0.0):
    source = MemorySource()
    async with (
        ControlPlane(Settings(listen="127.0.0.1:0", second_look=60, settle=settle), source) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        served = Plane(plane.address, source, channel)
        await served.mesh.GetStatus(mesh_pb2.GetStatusRequest())
        yield served


async def test_services_are_listed_in_order_with_all_that_is_known_of_their_instances():
    async with serving() as plane:
        plane.put("orders", o=Health.PASSING)
        plane.source.put(
            "catalog",
            [
                Instance(
                    id="c2",
                    host="::1",
                    port=2,
                    health=Health.CRITICAL,
                    health_output="connection refused",
                    version="v2",
                    zone="b",
                    language="go",
                    contracts=("shop.catalog.v1.CatalogService",),
                ),
                Instance(id="c1", host="127.0.0.1", port=1, health=Health.WARNING),
            ],
        )
        found = (await plane.mesh.ListServices(mesh_pb2.ListServicesRequest())).services
        assert [service.name for service in found] == ["catalog", "orders"]
        assert found[0] == mesh_pb2.Service(
            name="catalog",
            contracts=["shop.catalog.v1.CatalogService"],
            instances=[
                mesh_pb2.Instance(id="c1", address="127.0.0.1:1", health=mesh_pb2.INSTANCE_HEALTH_WARNING),
                mesh_pb2.Instance(
                    id="c2",
                    address="[::1]:2",
                    health=mesh_pb2.INSTANCE_HEALTH_CRITICAL,
                    health_output="connection refused",
                    version="v2",
                    zone="b",
                    language="go",
                ),
            ],
        )


async def test_a_service_that_is_gone_is_not_listed():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        plane.put("orders", o=Health.PASSING)
        plane.source.remove("orders")
        found = (await plane.mesh.ListServices(mesh_pb2.ListServicesRequest())).services
        assert [service.name for service in found] == ["catalog"]


async def test_services_are_listed_in_pages():
    async with serving() as plane:
        for name in ("catalog", "orders", "tax"):
            plane.put(name, a=Health.PASSING)
        first = await plane.mesh.ListServices(mesh_pb2.ListServicesRequest(page_size=2))
        rest = mesh_pb2.ListServicesRequest(page_size=2, page_token=first.next_page_token)
        second = await plane.mesh.ListServices(rest)
        assert [[s.name for s in page.services] for page in (first, second)] == [["catalog", "orders"], ["tax"]]
        assert second.next_page_token == ""


async def test_clients_are_listed_in_pages_in_which_one_that_leaves_moves_nobody():
    async with serving() as plane, contextlib.AsyncExitStack() as stack:
        plane.put("catalog", a=Health.PASSING)
        async with Stream(plane.address, "test/web/1") as leaving:
            await plane.follow(leaving)
            for number in (2, 3):
                await plane.follow(await stack.enter_async_context(Stream(plane.address, f"test/web/{number}")))
            first = await plane.mesh.ListClients(mesh_pb2.ListClientsRequest(page_size=2))
        async with asyncio.timeout(10):
            while (await plane.mesh.GetStatus(mesh_pb2.GetStatusRequest())).clients == 3:
                pass
        rest = mesh_pb2.ListClientsRequest(page_token=first.next_page_token)
        second = await plane.mesh.ListClients(rest)
        listed = [[client.node_id for client in page.clients] for page in (first, second)]
        assert listed == [["test/web/1", "test/web/2"], ["test/web/3"]]


async def test_more_than_fits_into_one_message_is_listed():
    async with serving() as plane:
        for number in range(4):
            plane.put(f"catalog-{number}", a=Health.PASSING)
            output = "x" * (1 << 20)
            sick = Instance(id="a", host="127.0.0.1", port=1, health=Health.CRITICAL, health_output=output)
            plane.source.put(f"catalog-{number}", [sick])
        found, token = [], None
        while token != "":
            request = mesh_pb2.ListServicesRequest(page_token=token or "")
            answer = await plane.mesh.ListServices(request, timeout=20)
            found += [service.name for service in answer.services]
            token = answer.next_page_token
        assert found == [f"catalog-{number}" for number in range(4)]


async def test_a_watch_begins_with_everything_and_goes_on_with_changes():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        plane.put("orders", o=Health.PASSING)
        watch = plane.mesh.WatchServices(mesh_pb2.WatchServicesRequest(), timeout=20)
        first = await watch.read()
        assert [service.name for service in first.changed] == ["catalog", "orders"]
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        second = await watch.read()
        assert [(s.name, [i.id for i in s.instances]) for s in second.changed] == [("catalog", ["a", "b"])]
        assert list(second.removed) == []
        plane.source.remove("orders")
        third = await watch.read()
        assert (list(third.changed), list(third.removed)) == ([], ["orders"])
        watch.cancel()


async def test_a_watch_of_an_empty_mesh_begins_with_an_empty_message():
    async with serving() as plane:
        plane.source.restart()
        watch = plane.mesh.WatchServices(mesh_pb2.WatchServicesRequest(), timeout=20)
        assert await watch.read() == mesh_pb2.WatchServicesResponse()
        watch.cancel()


async def test_a_watch_that_begins_before_the_mesh_was_read_waits_for_it():
    async with serving() as plane:
        watch = plane.mesh.WatchServices(mesh_pb2.WatchServicesRequest(), timeout=20)
        reading = asyncio.create_task(watch.read())
        await plane.mesh.GetStatus(mesh_pb2.GetStatusRequest())
        plane.put("catalog", a=Health.PASSING)
        assert [service.name for service in (await reading).changed] == ["catalog"]
        watch.cancel()


async def test_the_status_tells_when_the_mesh_was_read_and_what_changed():
    async with serving() as plane:
        before = await plane.mesh.GetStatus(mesh_pb2.GetStatusRequest())
        assert (before.complete, before.version, before.source, before.clients) == (False, 0, "memory", 0)
        began = time.time()
        plane.put("catalog", a=Health.PASSING)
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        after = await plane.mesh.GetStatus(mesh_pb2.GetStatusRequest())
        assert (after.complete, after.version, after.source_error) == (True, 2, "")
        assert began <= after.change_time.ToNanoseconds() / 1e9 + 1e-6 <= time.time()
        assert after.age.ToTimedelta().total_seconds() < 5


async def test_the_status_tells_what_is_held_and_why_the_source_is_silent():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        plane.put("catalog", a=Health.CRITICAL, b=Health.CRITICAL)
        plane.source.fail("gone fishing")
        status = await plane.mesh.GetStatus(mesh_pb2.GetStatusRequest())
        assert list(status.held_removals) == [
            mesh_pb2.HeldRemoval(service="catalog", instances_before=2, instances_after=0)
        ]
        assert status.source_error == "gone fishing"


async def test_health_is_serving_once_the_mesh_was_read():
    async with serving() as plane:
        watch = plane.health.Watch(HealthCheckRequest(), timeout=20)
        assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        plane.put("catalog", a=Health.PASSING)
        assert (await watch.read()).status == HealthCheckResponse.SERVING
        named = await plane.health.Check(HealthCheckRequest(service="gossamer.mesh.v1.MeshService"))
        assert named.status == HealthCheckResponse.SERVING
        watch.cancel()


async def test_health_stays_serving_while_the_source_is_silent():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        plane.source.fail("gone")
        assert (await plane.health.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING


async def test_nothing_is_drained_before_the_mesh_was_read():
    async with serving() as plane:
        waiting = asyncio.create_task(plane.drain("a", within=15))
        assert not (await plane.drain("a")).drained
        plane.put("catalog", b=Health.PASSING)
        assert (await waiting).drained


async def test_an_unknown_instance_is_drained():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        assert (await plane.drain("b")).drained


async def test_no_drain_is_done_before_clients_of_an_earlier_control_plane_had_time_to_come_back():
    async with serving(settle=1) as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        began = time.monotonic()
        early = await plane.drain("a", within=0.1)
        waiting = asyncio.create_task(plane.drain("a", within=15))
        await plane.follow(stream)
        assert (await waiting).drained
        assert time.monotonic() - began >= 0.95
        assert (early.drained, list(early.waiting_for)) == (False, [])


async def test_an_instance_that_was_removed_is_drained_when_its_clients_know():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        await plane.follow(stream)
        plane.put("catalog", b=Health.PASSING)
        without = await stream.take()
        answer = await plane.drain("a")
        assert (answer.drained, list(answer.waiting_for)) == (False, ["test/web/1"])
        await stream.accept(without, "catalog")
        assert (await plane.drain("a", within=15)).drained


async def test_an_instance_that_is_removed_while_it_drains_is_drained_when_its_clients_know():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        await plane.follow(stream)
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        waiting = asyncio.create_task(plane.drain("a", within=15))
        without = await stream.take()
        plane.put("catalog", b=Health.PASSING)
        assert not (await plane.drain("a", within=0.2)).drained
        assert not waiting.done()
        await stream.accept(without, "catalog")
        assert (await waiting).drained


async def test_a_drain_is_done_however_the_address_was_registered():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        for health in (Health.PASSING, DRAINING):
            instance = Instance(id="a", host="0:0:0:0:0:0:0:1", port=1, health=health)
            plane.source.put("catalog", [instance])
            if health is Health.PASSING:
                await plane.follow(stream)
        assert not (await plane.drain("a")).drained
        await stream.accept(await stream.take(), "catalog")
        assert (await plane.drain("a", within=15)).drained


async def test_an_instance_that_is_still_offered_is_not_drained():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        await plane.follow(stream)
        answer = await plane.drain("a")
        assert (answer.drained, list(answer.waiting_for)) == (False, ["test/web/1"])


async def test_an_instance_that_nobody_follows_is_drained_once_it_is_not_offered():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        assert not (await plane.drain("a")).drained
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        assert (await plane.drain("a", within=15)).drained


async def test_a_drain_waits_for_every_client_to_accept_and_no_longer():
    async with (
        serving() as plane,
        Stream(plane.address, "test/web/1") as first,
        Stream(plane.address, "test/web/2") as second,
    ):
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        await plane.follow(first)
        await plane.follow(second)
        waiting = asyncio.create_task(plane.drain("a", within=15))
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        await first.accept(await first.take(), "catalog")
        without = await second.take()
        async with asyncio.timeout(10):
            while list((await plane.drain("a")).waiting_for) != ["test/web/2"]:
                pass
        assert not waiting.done()
        began = time.monotonic()
        await second.accept(without, "catalog")
        assert (await waiting).drained
        assert time.monotonic() - began < 5


async def test_a_drain_ends_without_the_clients_that_refuse():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        await plane.follow(stream)
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        await stream.refuse(await stream.take(), "catalog", reason="no")
        answer = await plane.drain("a", within=0.3)
        assert (answer.drained, list(answer.waiting_for)) == (False, ["test/web/1"])


async def test_a_client_that_leaves_is_not_waited_for():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING, b=Health.PASSING)
        async with Stream(plane.address) as stream:
            await plane.follow(stream)
            plane.put("catalog", a=DRAINING, b=Health.PASSING)
            waiting = asyncio.create_task(plane.drain("a", within=15))
            await stream.take()
            assert not waiting.done()
        assert (await waiting).drained


async def test_clients_of_other_services_are_not_waited_for():
    async with serving() as plane, Stream(plane.address) as stream:
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        await stream.ask(ASSIGNMENT, "orders")
        await stream.take()
        assert (await plane.drain("a")).drained


async def test_a_client_that_has_not_accepted_anything_yet_is_waited_for():
    async with serving() as plane, Stream(plane.address, "test/web/1") as stream:
        plane.put("catalog", a=DRAINING, b=Health.PASSING)
        await plane.follow(stream, accept=False)
        assert list((await plane.drain("a")).waiting_for) == ["test/web/1"]


async def test_the_last_instance_drains_too():
    async with serving() as plane, Stream(plane.address) as stream:
        plane.put("catalog", a=Health.PASSING)
        await plane.follow(stream)
        plane.put("catalog", a=DRAINING)
        waiting = asyncio.create_task(plane.drain("a", within=15))
        await stream.accept(await stream.take(), "catalog")
        assert (await waiting).drained


async def test_a_drain_that_nobody_is_left_to_hear_leaves_nothing_behind():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        request = mesh_pb2.AwaitDrainRequest(service="catalog", instance_id="a", max_wait=Duration(seconds=60))
        await plane.drain("a")  # what is made once, is made
        before = len(asyncio.all_tasks())
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await plane.mesh.AwaitDrain(request, timeout=0.2)
        assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (mesh_pb2.AwaitDrainRequest(), ["service", "instance_id"]),
        (mesh_pb2.AwaitDrainRequest(service="a", instance_id="b", max_wait=Duration(seconds=61)), ["max_wait"]),
        (mesh_pb2.AwaitDrainRequest(service="a", instance_id="b", max_wait=Duration(seconds=-1)), ["max_wait"]),
        (mesh_pb2.ListServicesRequest(page_size=1001), ["page_size"]),
        (mesh_pb2.ListServicesRequest(page_token="none"), ["page_token"]),
        (mesh_pb2.ListClientsRequest(page_size=-1), ["page_size"]),
        (mesh_pb2.ListClientsRequest(page_token="none"), ["page_token"]),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused_with_its_fields(request_, fields):
    async with serving() as plane:
        method = getattr(plane.mesh, type(request_).__name__.removesuffix("Request"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(request_, timeout=5)
    status = rpc_status.from_call(refused.value)
    assert status is not None
    info, bad = ErrorInfo(), BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "gossamer.mesh.v1")
    assert [violation.field for violation in bad.field_violations] == fields


async def grpcurl(*arguments):
    process = await asyncio.create_subprocess_exec(
        str(have("grpcurl")), "-plaintext", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_grpcurl_lists_and_calls_it():
    async with serving() as plane:
        plane.put("catalog", a=Health.PASSING)
        assert (await grpcurl(plane.address, "list")).split() == [
            "gossamer.mesh.v1.MeshService",
            "gossamer.mesh.v1.TrafficService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ]
        answer = json.loads(await grpcurl(plane.address, "gossamer.mesh.v1.MeshService/GetStatus"))
        assert (answer["complete"], answer["version"]) == (True, "1")


async def test_a_port_that_is_in_use_is_refused():
    async with serving() as plane:
        with pytest.raises(BindError, match="Address already in use"):
            async with ControlPlane(Settings(listen=plane.address), MemorySource()):
                pass


async def ended(tmp_path, *arguments):
    child = await Child.start(sys.executable, "-m", "gossamer_mesh.control", *arguments, log=tmp_path / "log")
    async with asyncio.timeout(20):
        while child.status is None:
            await asyncio.sleep(0.01)
    return await child.end(), child.errors()


async def test_wrong_settings_end_it_with_64_and_name_all_mistakes(tmp_path):
    status, errors = await ended(tmp_path, "--listen", "here", "--contracts", "/nowhere")
    assert status == 64
    assert [line.split(":")[0] for line in errors.splitlines()] == ["--listen", "--contracts"]


async def test_an_image_that_is_none_ends_it_with_64_in_one_line(tmp_path):
    image = tmp_path / "contracts.binpb"
    image.write_bytes(b"no image")
    status, errors = await ended(tmp_path, "--listen", "127.0.0.1:0", "--contracts", str(image))
    assert (status, len(errors.splitlines())) == (64, 1)


async def test_a_port_in_use_ends_it_with_1_in_one_line(tmp_path):
    async with serving() as plane:
        status, errors = await ended(tmp_path, "--listen", plane.address)
    assert (status, len(errors.splitlines())) == (1, 1), errors
    assert plane.address in errors
