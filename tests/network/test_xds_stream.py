"""The aggregated discovery service on the wire, from clients that do what good ones never do. The mesh is in memory."""

import asyncio
import contextlib

import grpc
import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from harness.ads import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, Stream
from harness.client import Client
from harness.control import CONTRACTS, bootstrap, followers
from harness.instance import CONTRACT

import gossamer_mesh.control.plane
from gossamer.mesh.v1.mesh_pb2 import GetStatusRequest, ListServicesRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.control.plane import OPTIONS, ControlPlane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.model import Instance


@contextlib.asynccontextmanager
async def serving(*, contracts=None, coalescing=0.05, **services):
    """A control plane whose services have instances on these ports."""
    source = MemorySource()
    for name, ports in services.items():
        put(source, name, ports)
    async with ControlPlane(
        Settings(listen="127.0.0.1:0", contracts=contracts, coalescing=coalescing), source
    ) as plane:
        yield plane.address, source


async def ended(call):
    """The status of a stream, once it has ended."""
    async with asyncio.timeout(10):
        return await call.code()


def put(source, name, ports):
    instances = [Instance(id=f"{name}-{port}", host="127.0.0.1", port=port, contracts=(CONTRACT,)) for port in ports]
    source.put(name, instances)


def paths(response):
    """The methods that have a route of their own."""
    (packed,) = response.resources
    routes = RouteConfiguration.FromString(packed.value).virtual_hosts[0].routes
    return {route.match.path.rpartition("/")[2] for route in routes if route.match.path}


def ports(response):
    (packed,) = response.resources
    assignment = ClusterLoadAssignment.FromString(packed.value)
    return [m.endpoint.address.socket_address.port_value for x in assignment.endpoints for m in x.lb_endpoints]


async def until(condition, within=10.0):
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_stream_is_answered_and_told_of_changes():
    async with serving(catalog=[1]) as (address, source), Stream(address) as stream:
        await stream.ask(ASSIGNMENT, "catalog")
        first = await stream.take()
        assert ports(first) == [1]
        await stream.accept(first, "catalog")
        put(source, "catalog", [1, 2])
        assert ports(await stream.take()) == [1, 2]


@pytest.mark.parametrize(
    ("seconds", "told"), [(2.0, [1, 2, 3]), pytest.param(0.0, [1, 2], id="control: nothing is put together")]
)
async def test_changes_right_after_another_are_told_together(seconds, told):
    async with serving(coalescing=seconds, catalog=[9]) as (address, source), Stream(address) as stream:
        await stream.ask(ASSIGNMENT, "catalog")
        await stream.accept(await stream.take(), "catalog")
        put(source, "catalog", [1])
        await stream.accept(await stream.take(), "catalog")
        before = await read(address)
        put(source, "catalog", [1, 2])
        await until(lambda: changed(address, before))
        put(source, "catalog", [1, 2, 3])
        assert ports(await stream.take()) == told


async def test_what_the_api_names_a_client_that_asks_then_is_given():
    """Also while changes are put together: otherwise one that was told to call would be told that nobody is there."""
    async with serving(coalescing=1.0, catalog=[1]) as (address, source), Stream(address) as stream:
        await until(lambda: knows(address, {"catalog"}))
        put(source, "orders", [2])
        await until(lambda: knows(address, {"catalog", "orders"}))
        await stream.ask(ASSIGNMENT, "orders")
        assert ports(await stream.take()) == [2]


async def read(address):
    """The version of the mesh that was read last."""
    async with grpc.aio.insecure_channel(address) as channel:
        return (await MeshServiceStub(channel).GetStatus(GetStatusRequest(), timeout=5)).version


async def changed(address, before):
    return await read(address) != before


async def knows(address, services):
    async with grpc.aio.insecure_channel(address) as channel:
        listed = (await MeshServiceStub(channel).ListServices(ListServicesRequest(), timeout=5)).services
    return {service.name for service in listed} == services


async def test_nothing_is_answered_before_the_mesh_was_read_and_then_at_once():
    async with serving() as (address, source), Stream(address) as stream:
        await stream.ask(LISTENER, "catalog")
        await until(lambda: asked(address))
        put(source, "catalog", [1])
        response = await stream.take()
        assert [response.type_url, len(response.resources)] == [LISTENER, 1]


async def asked(address):
    found = await followers(address)
    return bool(found and found[0].subscriptions)


async def test_a_service_that_comes_later_is_told_within_a_second():
    async with serving(catalog=[1]) as (address, source), Stream(address) as stream:
        await stream.ask(ASSIGNMENT, "later")
        await stream.accept(await stream.take(), "later")
        put(source, "later", [7])
        async with asyncio.timeout(1):
            assert ports(await stream.take()) == [7]


async def test_a_client_that_leaves_everything_out_and_comes_back_on_its_stream_is_answered():
    async with serving(catalog=[1]) as (address, _), Stream(address) as stream:
        await stream.ask(ASSIGNMENT, "catalog")
        first = await stream.take()
        await stream.accept(first)
        await stream.accept(first, "catalog")
        second = await stream.take()
        assert (second.nonce, ports(second)) == ("2", [1])


async def test_a_client_that_refuses_is_shown_logged_once_and_not_sent_the_same_again(caplog):
    async with serving(catalog=[1]) as (address, source), Stream(address, "test/refuser/1") as stream:
        await stream.ask(ASSIGNMENT, "catalog")
        response = await stream.take()
        for _ in range(3):
            await stream.refuse(response, "catalog", reason="I don't like it")

        async def counted():
            (client,) = await followers(address)
            (subscription,) = client.subscriptions
            return subscription.refusals == 3 and (client.node_id, subscription.refusal, subscription.names) == (
                "test/refuser/1",
                "I don't like it",
                ["catalog"],
            )

        await until(counted)
        refusals = [record for record in caplog.records if "refused" in record.message]
        assert [(record.node, record.reason) for record in refusals] == [("test/refuser/1", "I don't like it")]
        put(source, "catalog", [2])
        assert ports(await stream.take()) == [2]


async def test_a_client_is_listed_with_what_it_accepted_and_gone_when_it_left():
    async with serving(catalog=[1]) as (address, _):
        async with Stream(address, "test/raw/7") as stream:
            for type_ in (LISTENER, ROUTES, CLUSTER, ASSIGNMENT):
                await stream.ask(type_, "catalog")
                await stream.accept(await stream.take(), "catalog")

            async def accepted():
                (client,) = await followers(address)
                versions = [(s.sent_version, s.accepted_version) for s in client.subscriptions]
                return (
                    (client.node_id, client.user_agent) == ("test/raw/7", "raw 1")
                    and client.peer.startswith("ipv4:127.0.0.1:")
                    and len(versions) == 4
                    and all(sent == accepted != "" for sent, accepted in versions)
                )

            await until(accepted)

        async def gone():
            return not await followers(address)

        await until(gone)


async def test_a_client_that_never_reads_holds_back_nobody_and_has_nothing_queued_for_it():
    many = range(1, 200)
    async with serving(catalog=many) as (address, source), Stream(address) as lazy, Stream(address) as keen:
        await lazy.ask(ASSIGNMENT, "catalog")
        await keen.ask(ASSIGNMENT, "catalog")
        await keen.take()
        for change in range(1000, 1150):
            put(source, "catalog", [*many, change])
            assert ports(await keen.take())[-1] == change
        taken = 1
        while ports(await lazy.take())[-1] != 1149:
            taken += 1
        # each is about 6 KB: what one connection takes without being read, and not 150
        assert taken < 50


async def test_an_idle_mesh_sends_nothing():
    async with serving(catalog=[1], orders=[2]) as (address, source), Stream(address) as stream:
        for type_ in (LISTENER, ROUTES, CLUSTER, ASSIGNMENT):
            await stream.ask(type_, "catalog")
            await stream.accept(await stream.take(), "catalog")
        for port in range(3, 20):
            put(source, "orders", [port])
            await followers(address)  # so that the stream has its turn, and changes don't become one
            put(source, "catalog", [1])
        put(source, "catalog", [99])
        response = await stream.take()
        assert (response.nonce, ports(response)) == ("5", [99])


async def test_contracts_that_change_on_disk_change_the_routes_and_a_bad_image_changes_nothing(tmp_path, caplog):
    image = tmp_path / "contracts.binpb"
    image.write_bytes(FileDescriptorSet().SerializeToString())
    async with serving(contracts=image, probe=[1]) as (address, _), Stream(address) as stream:
        await stream.ask(ROUTES, "probe")
        first = await stream.take()
        assert paths(first) == set()
        await stream.accept(first, "probe")
        image.write_bytes(b"no image")

        async def refused():
            return "the contract image can't be used, what was read before stays" in caplog.messages

        await until(refused)
        replacement = tmp_path / "new.binpb"
        replacement.write_bytes(CONTRACTS.read_bytes())
        replacement.replace(image)
        second = await stream.take()
        assert second.nonce == "2"
        assert paths(second) == {"Echo", "Relay", "Fail", "Count"}


async def test_a_request_that_is_none_ends_the_stream():
    async with serving(catalog=[1]) as (address, _), grpc.aio.insecure_channel(address) as channel:
        method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
        call = channel.stream_stream(method)()
        await call.write(b"\xff\xff")
        assert await ended(call) == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_request_without_type_ends_the_stream():
    async with serving(catalog=[1]) as (address, _), Stream(address) as stream:
        await stream.ask("")
        assert await stream.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_name_that_no_resource_can_have_does_not_end_the_stream():
    async with serving(catalog=[1]) as (address, _), Stream(address) as stream:
        await stream.ask(ASSIGNMENT, "", "catalog")
        first = await stream.take()
        assert ports(first) == [1]
        await stream.ask(CLUSTER, "")
        await stream.ask(LISTENER, "catalog")
        assert (await stream.take()).type_url == LISTENER


async def test_a_client_that_closes_its_side_ends_the_stream_well():
    async with serving(catalog=[1]) as (address, _), grpc.aio.insecure_channel(address) as channel:
        call = AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
        await call.done_writing()
        assert await ended(call) == grpc.StatusCode.OK


async def test_a_client_that_answers_no_pings_is_gone_and_control_without_pings_it_stays(tmp_path, monkeypatch):
    async def followed(plane):
        return len(await followers(plane)) == 1

    async def gone():
        return not await followers(pinging)

    async with contextlib.AsyncExitStack() as stack:
        quiet, _ = await stack.enter_async_context(serving(catalog=[1]))
        soon = dict.fromkeys(("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms"), 300)
        assert soon.keys() < dict(OPTIONS).keys()
        monkeypatch.setattr(gossamer_mesh.control.plane, "OPTIONS", tuple({**dict(OPTIONS), **soon}.items()))
        pinging, _ = await stack.enter_async_context(serving(catalog=[1]))
        for number, address in enumerate((quiet, pinging)):
            client = await stack.enter_async_context(Client(bootstrap(address), tmp_path / f"{number}.log"))
            await client.call("catalog")
            await until(lambda address=address: followed(address))
            client.pause()
        await until(gone)
        assert await followed(quiet)


async def test_two_hundred_streams_get_a_change():
    async with serving(catalog=[1]) as (address, source), contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(Stream(address)) for _ in range(200)]
        for stream in streams:
            await stream.ask(ASSIGNMENT, "catalog")
        for stream in streams:
            await stream.accept(await stream.take(), "catalog")
        put(source, "catalog", [2])
        assert [ports(await stream.take()) for stream in streams] == [[2]] * 200
