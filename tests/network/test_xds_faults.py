"""The control plane or Consul goes away, under load: calls go on, nothing is removed, and what comes back is followed.

Each protection has its control: the same fault with the protection off costs calls.
"""

import asyncio
import signal
import time

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from harness.ads import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, Stream
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT, Instance
from harness.running import Mesh, failures, running, seconds, splitter, subsets


async def gone(mesh):
    """Wait until no instance gets calls."""
    async with asyncio.timeout(15):
        while await mesh.client.call("shop") != ["!UNAVAILABLE"]:
            pass


async def test_calls_go_on_while_the_control_plane_is_killed_and_started_again(tmp_path):
    async with running(tmp_path) as mesh, Instance("c") as c:
        await mesh.client.start_load("shop")
        await mesh.control.end(signal.SIGKILL)
        assert set(await mesh.client.call("shop", 20)) == {"a", "b"}
        await mesh.control.start()
        await mesh.consul.register("shop", "shop-c", c.address, contracts=[CONTRACT])
        await mesh.client.until("shop", "abc", within=45)
        answers = await mesh.client.stop_load()
        assert failures(answers) == {}


async def test_calls_go_on_while_consul_is_killed_and_the_age_grows(tmp_path):
    async with running(tmp_path) as mesh:
        await mesh.client.start_load("shop")
        await mesh.consul.kill()
        await mesh.until(lambda status: status.source_error, "in error")
        before = await mesh.status()
        await mesh.until(lambda status: seconds(status.age) > seconds(before.age) + 1, "older")
        after = await mesh.status()
        assert (after.version, after.complete) == (before.version, True)
        assert "expected Consul to answer" in after.source_error
        assert failures(await mesh.client.stop_load()) == {}


async def test_consul_that_comes_back_with_its_data_is_followed_again(tmp_path):
    async with running(tmp_path) as mesh:
        await mesh.client.start_load("shop")
        await mesh.consul.restart(empty=False)
        await mesh.until(lambda status: not status.source_error and not status.held_removals, "at rest")
        await mesh.consul.maintain("shop-a")
        await mesh.client.until("shop", "b")
        assert failures(await mesh.client.stop_load()) == {}


async def test_consul_that_comes_back_empty_costs_no_call_while_instances_register_again(tmp_path):
    async with running(tmp_path) as mesh:
        await mesh.client.start_load("shop")
        await mesh.consul.restart(empty=True)
        await mesh.until(lambda status: status.held_removals, "held")
        (held,) = (await mesh.status()).held_removals
        assert (held.service, held.instances_before, held.instances_after) == ("shop", 2, 0)
        await mesh.register()
        await mesh.until(lambda status: not status.held_removals, "at rest")
        await mesh.client.until("shop", "ab")
        assert failures(await mesh.client.stop_load()) == {}


async def test_control_without_a_second_look_consul_that_comes_back_empty_costs_calls(tmp_path):
    async with running(tmp_path, "--second-look", "0") as mesh:
        await mesh.client.start_load("shop")
        await mesh.consul.restart(empty=True)
        await gone(mesh)
        assert "!UNAVAILABLE" in failures(await mesh.client.stop_load())


async def test_a_split_that_an_empty_consul_forgot_holds_while_instances_register_again(tmp_path):
    async with running(tmp_path, "--second-look", "20") as mesh:
        await mesh.write(subsets("shop"), splitter("shop", a=100, b=0))
        await mesh.client.until("shop", "a")
        await mesh.client.start_load("shop")
        await mesh.consul.restart(empty=True)
        await mesh.until(lambda status: status.held_removals, "held")
        await mesh.register()
        await mesh.until(lambda status: not status.held_removals, "at rest")
        assert (await mesh.client.stop_load()).keys() == {"a"}


async def test_control_without_a_second_look_a_split_that_an_empty_consul_forgot_is_gone_at_once(tmp_path):
    async with running(tmp_path, "--second-look", "0") as mesh:
        await mesh.write(subsets("shop"), splitter("shop", a=100, b=0))
        await mesh.client.until("shop", "a")
        await mesh.consul.restart(empty=True)
        await mesh.register()
        await mesh.client.until("shop", "ab")


async def test_a_split_that_an_empty_consul_still_lacks_at_the_second_look_is_gone(tmp_path):
    async with running(tmp_path, "--second-look", "1") as mesh:
        await mesh.write(subsets("shop"), splitter("shop", a=100, b=0))
        await mesh.client.until("shop", "a")
        await mesh.consul.restart(empty=True)
        await mesh.register()
        await mesh.client.until("shop", "ab")


async def test_a_subset_whose_instances_all_leave_at_once_keeps_them_until_the_second_look(tmp_path):
    async with running(tmp_path, "--second-look", "3", names="abc") as mesh:
        chosen = {"some": {"Filter": "Service.Meta.version != c"}}
        await mesh.write(subsets("shop", DefaultSubset="some", Subsets=chosen))
        await mesh.client.until("shop", "ab")
        await mesh.client.start_load("shop", every=0.002)
        for instance in mesh.instances:
            await mesh.consul.deregister(f"shop-{instance.name}")
        await mesh.until(lambda status: status.held_removals, "held")
        assert (await mesh.client.stop_load()).keys() == {"a", "b"}
        await gone(mesh)


async def test_instances_that_do_not_register_again_leave_after_the_second_look(tmp_path):
    async with running(tmp_path, "--second-look", "2") as mesh:
        await mesh.consul.restart(empty=True)
        await mesh.until(lambda status: status.held_removals, "held")
        began = time.monotonic()
        await gone(mesh)
        assert time.monotonic() - began >= 1
        await mesh.register()
        await mesh.client.until("shop", "ab")


async def test_what_changes_in_consul_and_concerns_no_client_sends_nothing(tmp_path):
    async with running(tmp_path) as mesh, Stream(mesh.control.address) as stream:
        for type_ in (CLUSTER, ASSIGNMENT, LISTENER, ROUTES):
            await stream.ask(type_, "shop")
            await stream.accept(await stream.take(), "shop")
        for number in range(10):
            version = (await mesh.status()).version
            await mesh.register()
            await mesh.write({"Kind": "service-defaults", "Name": "shop", "Protocol": "grpc"})
            await mesh.consul.put("/v1/catalog/register", passing("shop-a", f"its check has run {number} times"))
            await mesh.consul.put(f"/v1/kv/elsewhere/{number}", number)
            await mesh.consul.write(f"other{number}", "127.0.0.2", 1)
            await mesh.until(lambda status, before=version: status.version > before, "read")
        await mesh.consul.deregister("shop-b")
        response = await stream.take()
        assert response.nonce == "5"
        (place,) = ClusterLoadAssignment.FromString(response.resources[0].value).endpoints
        left = [each.endpoint.address.socket_address.port_value for each in place.lb_endpoints]
        assert [f"127.0.0.1:{port}" for port in left] == [mesh.instances[0].address]


def passing(service_id, output):
    """Make what the agent writes when the check of an instance has said something else, and passes as before."""
    check = {"Node": "test", "CheckID": f"service:{service_id}", "Name": "check", "ServiceID": service_id}
    return {
        "Node": "test",
        "Address": "127.0.0.1",
        "SkipNodeUpdate": True,
        "Check": {**check, "Type": "grpc", "Status": "passing", "Output": output},
    }


async def test_consul_that_accepts_and_does_not_answer_is_noticed_and_followed_again(tmp_path):
    async with running(tmp_path) as mesh:
        mesh.consul.pause()
        try:
            await mesh.until(lambda status: "no answer in time" in status.source_error, "noticed")
            assert set(await mesh.client.call("shop", 20)) == {"a", "b"}
        finally:
            mesh.consul.resume()
        await mesh.until(lambda status: not status.source_error and not status.held_removals, "followed again", 30)


async def test_a_control_plane_without_consul_serves_nothing_and_says_why(tmp_path):
    consul = Consul(tmp_path / "consul")
    async with ControlPlane(tmp_path / "control", consul.url) as control:
        mesh = Mesh(consul, control, None, ())
        await mesh.until(lambda status: status.source_error, "in error")
        assert not (await mesh.status()).complete
        async with consul:
            await mesh.until(lambda status: status.complete, "complete")


async def test_the_log_says_once_that_consul_is_silent_and_once_that_it_answers(tmp_path):
    async with running(tmp_path) as mesh:
        await mesh.consul.restart(empty=False)
        await mesh.until(lambda status: not status.source_error, "well again")
        messages = [line["message"] for line in mesh.control.logs()]
        assert messages.count("the source is silent: the last snapshot stays") == 1
        assert messages.count("the source answers again") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order_while_clients_follow(tmp_path, number):
    async with running(tmp_path) as mesh:
        async with asyncio.timeout(5):
            assert await mesh.control.end(number) == 0
        assert not [line for line in mesh.control.logs() if line["level"] == "error"]
