"""Clients that do what no good client does: the control plane's memory stays bounded, and others are served as ever.

Each protection has its control: the same test against a control plane without it.
"""

import asyncio
import contextlib
import json
import time

import grpc
import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from harness.ads import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, Stream
from harness.control import NAIVE, PROGRAM, ControlPlane, followers

from gossamer.mesh.v1.mesh_pb2 import GetStatusRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.local.memory import held

TYPES = (CLUSTER, ASSIGNMENT, LISTENER, ROUTES)
MB = 1 << 20
SOON_S = 5.0
"""What a change takes to reach a client at most; the file is looked at five times a second."""


class Plane:
    """A control plane that reads a file."""

    def __init__(self, control, file):
        self.control, self._file = control, file
        self.address = control.address

    def write(self, **services):
        """Change the mesh to services with instances on these ports."""
        made = {
            name: [{"id": f"{name}-{port}", "address": f"127.0.0.1:{port}"} for port in ports]
            for name, ports in services.items()
        }
        replacement = self._file.with_suffix(".new")
        replacement.write_text(json.dumps({"services": made}))
        replacement.replace(self._file)

    @property
    def memory(self):
        return held(self.control.pid)

    async def client(self, node):
        (found,) = (client for client in await followers(self.address) if client.node_id == node)
        return found

    async def answers(self, task):
        """Count how often the control plane answers others until a task is done."""
        count = 0
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = MeshServiceStub(channel)
            while not task.done():
                await stub.GetStatus(GetStatusRequest(), timeout=30)
                count += 1
                await asyncio.sleep(0.005)
        return count


@contextlib.asynccontextmanager
async def serving(folder, program=PROGRAM, **services):
    file = folder / "mesh.json"
    plane = Plane(ControlPlane(folder / "control", "", "--file", str(file), program=program), file)
    plane.write(**services)
    async with plane.control:
        yield plane


async def follow(stream, *names, types=TYPES):
    """Subscribe as a good client does. Gives the last response of each type."""
    responses = {}
    for type_ in types:
        await stream.ask(type_, *names)
        responses[type_] = await stream.take()
        await stream.accept(responses[type_], *names)
    return responses


def ports(response):
    (packed,) = response.resources
    assignment = ClusterLoadAssignment.FromString(packed.value)
    return [m.endpoint.address.socket_address.port_value for x in assignment.endpoints for m in x.lb_endpoints]


async def change(plane, keen, number, within=SOON_S, **others):
    """Change what a good client follows; it must be told soon."""
    began = time.monotonic()
    plane.write(keen=[number], **others)
    response = await keen.take()
    await keen.accept(response, "keen")
    assert ports(response) == [number]
    assert time.monotonic() - began < within


async def growth_by_clients_that_never_read(folder, program, within):
    """How much memory eighty of them cost while a large service changes fifteen times."""
    large = range(1, 1501)
    async with serving(folder, program, keen=[1], large=large) as plane, contextlib.AsyncExitStack() as stack:
        keen = await stack.enter_async_context(Stream(plane.address))
        await follow(keen, "keen", types=[ASSIGNMENT])
        for number in range(80):
            lazy = await stack.enter_async_context(Stream(plane.address, f"test/lazy/{number}"))
            await lazy.ask(ASSIGNMENT, "large")
        before = plane.memory
        for number in range(2001, 2016):
            await change(plane, keen, number, within, large=[*large, number])
        return plane.memory - before


async def test_eighty_clients_that_never_read_cost_little_and_hold_back_nobody(tmp_path):
    assert await growth_by_clients_that_never_read(tmp_path, PROGRAM, SOON_S) < 20 * MB


async def test_control_with_a_queue_for_each_stream_clients_that_never_read_cost_all_that_changes(tmp_path):
    assert await growth_by_clients_that_never_read(tmp_path, (NAIVE, "queue"), 60) > 25 * MB


@contextlib.asynccontextmanager
async def refusing(folder, program=PROGRAM):
    """A client that refuses whatever it is sent, and counts it."""
    async with (
        serving(folder, program, keen=[1], catalog=[1]) as plane,
        Stream(plane.address) as keen,
        Stream(plane.address, "test/refuser/1") as refuser,
    ):
        await follow(keen, "keen")
        sent = []

        async def refuse():
            while True:
                sent.append(await refuser.take())
                await refuser.refuse(sent[-1], "catalog", reason="I don't like it")

        for type_ in TYPES:
            await refuser.ask(type_, "catalog")
        task = asyncio.create_task(refuse())
        yield plane, keen, sent
        task.cancel()


async def refusals(plane):
    found = await plane.client("test/refuser/1")
    return {subscription.type: subscription.refusals for subscription in found.subscriptions}


async def until(condition, within=15.0):
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_client_that_refuses_everything_is_sent_each_change_once_and_logged_once(tmp_path):
    async with refusing(tmp_path) as (plane, keen, sent):

        async def refused(assignments):
            return sorted((await refusals(plane)).values()) == [1, 1, 1, assignments]

        await until(lambda: refused(1))
        for number in range(2, 7):
            await change(plane, keen, number, catalog=[number])
            await until(lambda number=number: refused(number))
        assert len(sent) == 4 + 5
        logged = [line for line in plane.control.logs() if "refused" in line["message"]]
        assert sorted((line["node"], line["reason"]) for line in logged) == 4 * [("test/refuser/1", "I don't like it")]


async def test_control_where_what_is_refused_is_sent_again_a_client_that_refuses_everything_never_rests(tmp_path):
    async with refusing(tmp_path, (NAIVE, "resend")) as (_, _, sent):

        async def many():
            return len(sent) > 100

        await until(many)


async def answers_beside_ten_thousand_names(folder, program):
    """How often others are answered until a client has what it asked for, and how much memory that took."""
    names = [f"name-{number}" for number in range(10_000)]
    async with serving(folder, program, keen=[1]) as plane, Stream(plane.address) as keen:
        await follow(keen, "keen")
        async with Stream(plane.address) as greedy:
            before = plane.memory
            asking = asyncio.create_task(follow(greedy, *names, types=[ROUTES]))
            answers = await plane.answers(asking)
            assert len((await asking)[ROUTES].resources) == 10_000
            await change(plane, keen, 2, 60)
            return answers, plane.memory - before


async def test_ten_thousand_names_are_answered_and_everybody_else_meanwhile(tmp_path):
    answers, growth = await answers_beside_ten_thousand_names(tmp_path, PROGRAM)
    assert answers > 15
    assert growth < 60 * MB


async def test_control_where_names_are_found_in_one_go_others_wait_for_ten_thousand(tmp_path):
    answers, _ = await answers_beside_ten_thousand_names(tmp_path, (NAIVE, "whole"))
    assert answers < 10


async def test_more_names_than_any_client_has_end_the_stream_and_cost_others_nothing(tmp_path):
    async with (
        serving(tmp_path, keen=[1]) as plane,
        Stream(plane.address) as keen,
        Stream(plane.address) as greedy,
    ):
        await follow(keen, "keen")
        before = plane.memory
        await greedy.ask(CLUSTER, *(f"n{number}" for number in range(300_000)))
        assert await greedy.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await change(plane, keen, 2)
        assert plane.memory - before < 100 * MB


@pytest.mark.parametrize("name", ["x" * 256, "x" * 3 * MB])
async def test_a_name_too_long_for_any_service_is_not_followed_and_costs_nothing(tmp_path, name):
    async with serving(tmp_path, keen=[1]) as plane, Stream(plane.address, "test/long/1") as stream:
        before = plane.memory
        responses = await follow(stream, "keen", name)
        assert [[response.resources[0].type_url, len(response.resources)] for response in responses.values()] == [
            [type_, 1] for type_ in TYPES
        ]
        found = await plane.client("test/long/1")
        assert [list(subscription.names) for subscription in found.subscriptions] == 4 * [["keen"]]
        assert plane.memory - before < 60 * MB
