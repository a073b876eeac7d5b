"""Half of all instances turn critical at once, under load: they stay until a second look, and go if it finds the same.

They are those of one node, whose check fails for all of them in one moment. They go on answering, as they do when only
Consul has lost sight of them.
"""

import contextlib
import time

from harness.instance import CONTRACT, Instance
from harness.running import failures, running

ALL, HERE, THERE = "abcdef", "abc", "def"
NODE = {"Node": "there", "Address": "127.0.0.1"}


async def register_there(consul, instance):
    host, _, port = instance.address.rpartition(":")
    id_ = f"shop-{instance.name}"
    service = {"Service": "shop", "ID": id_, "Address": host, "Port": int(port), "Meta": {"contracts": CONTRACT}}
    check = {"Node": "there", "CheckID": id_, "Name": id_, "ServiceID": id_, "Status": "passing", "Type": "grpc"}
    await consul.put("/v1/catalog/register", {**NODE, "Service": service, "Check": check})


async def turn(consul, status):
    """Give the node a check that says so."""
    check = {"Node": "there", "CheckID": "alive", "Name": "alive", "Status": status}
    await consul.put("/v1/catalog/register", {**NODE, "Check": check})


@contextlib.asynccontextmanager
async def two_nodes(folder, *options):
    async with running(folder, *options, names=HERE) as mesh, contextlib.AsyncExitStack() as stack:
        for name in THERE:
            await register_there(mesh.consul, await stack.enter_async_context(Instance(name)))
        await mesh.client.until("shop", ALL)
        yield mesh


async def test_half_that_turn_critical_and_recover_never_leave(tmp_path):
    async with two_nodes(tmp_path, "--second-look", "20") as mesh:
        await mesh.client.start_load("shop", every=0.03)
        await turn(mesh.consul, "critical")
        await mesh.until(lambda status: status.held_removals, "held")
        (held,) = (await mesh.status()).held_removals
        assert (held.instances_before, held.instances_after) == (6, 3)
        assert set(await mesh.client.call("shop", 30)) == set(ALL)
        await turn(mesh.consul, "passing")
        await mesh.until(lambda status: not status.held_removals, "at rest")
        assert set(await mesh.client.call("shop", 30)) == set(ALL)
        assert failures(await mesh.client.stop_load()) == {}


async def test_half_that_stay_critical_leave_after_the_second_look(tmp_path):
    async with two_nodes(tmp_path, "--second-look", "3") as mesh:
        await mesh.client.start_load("shop", every=0.03)
        began = time.monotonic()
        await turn(mesh.consul, "critical")
        await mesh.client.until("shop", HERE, within=30)
        assert time.monotonic() - began > 3
        assert not (await mesh.status()).held_removals
        assert failures(await mesh.client.stop_load()) == {}


async def test_control_without_a_second_look_half_leave_at_once(tmp_path):
    async with two_nodes(tmp_path, "--second-look", "0") as mesh:
        await turn(mesh.consul, "critical")
        await mesh.client.until("shop", HERE)
