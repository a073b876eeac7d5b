"""What people write into a real Consul about traffic arrives, or is refused with a reason, whoever calls.

Entries are Consul's own, written as `consul config write` writes them.
"""

import asyncio
import json

import pytest
from harness.client import Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.scenario import Scenario

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = "left out, because no client could follow it"


async def logged(control, text):
    """Wait for a line of the log whose fields hold a text."""
    async with asyncio.timeout(20):
        while not (found := [line for line in control.logs() if text in json.dumps(line)]):
            await asyncio.sleep(0.05)
    return found[-1]


async def test_a_default_subset_takes_all_calls_and_gives_them_back_when_it_is_deleted(scenario, instances):
    await scenario.register(*instances[:2])
    await scenario.until("ab")
    await scenario.resolve(DefaultSubset="b")
    await scenario.until("b")
    await scenario.consul.delete(f"/v1/config/service-resolver/{scenario.service}")
    await scenario.until("ab")


async def test_an_instance_that_changes_its_version_changes_its_subset(scenario, instances):
    a, b, *_ = instances
    await scenario.register(a, b)
    await scenario.resolve(DefaultSubset="a")
    await scenario.until("a")
    await scenario.register(b, meta={"version": "a"})
    await scenario.until("ab")


async def test_a_redirect_leads_a_name_without_instances_to_another_service(scenario, instances):
    await scenario.register(*instances[:2])
    await scenario.write("resolver", f"old-{scenario.service}", Redirect={"Service": scenario.service})
    await scenario.client.until(f"old-{scenario.service}", "ab")


async def test_what_no_client_could_follow_is_refused_with_its_field_and_the_last_good_stays(
    scenario, control, instances
):
    await scenario.register(*instances[:2])
    await scenario.resolve(DefaultSubset="a")
    await scenario.until("a")
    query = [{"Name": "x", "Present": True}]
    await scenario.route(({"PathPrefix": "/", "QueryParam": query}, {"ServiceSubset": "b"}))
    line = await logged(control, f"service-router/{scenario.service} ")
    assert line["message"] == REFUSED
    assert line["subject"] == f"service-router/{scenario.service} Routes[0].Match.HTTP.QueryParam"
    assert "match a header instead" in line["reason"]
    assert set(await scenario.call(50)) == {"a"}


async def test_a_filter_that_is_none_is_refused_and_everything_else_goes_on(scenario, control, instances):
    await scenario.register(*instances[:2])
    chosen = {"x": {"Filter": "Bogus == x"}}  # Consul looks at its grammar only when it is written
    await scenario.write("resolver", DefaultSubset="x", Subsets=chosen)
    line = await logged(control, f"service-resolver/{scenario.service} ")
    assert "Bogus" in line["reason"]
    await scenario.until("ab")


async def test_entries_that_consul_can_not_compile_are_refused_with_its_reason_and_the_last_good_stays(
    scenario, control, instances
):
    await scenario.register(*instances[:2])
    await scenario.resolve(DefaultSubset="a")
    await scenario.write("splitter", Splits=[{"Weight": 100}, {"Weight": 0, "Service": "Raw"}])
    await scenario.until("a")
    await scenario.write("defaults", "raw", Protocol="tcp")  # which Consul would refuse of `Raw`
    line = await logged(control, f"discovery chain of {scenario.service}")
    assert line["message"] == REFUSED
    assert "uses inconsistent protocols" in line["reason"]
    assert set(await scenario.call(50)) == {"a"}
    await scenario.consul.erase("service-defaults", "raw")
    await scenario.resolve(DefaultSubset="b")
    await scenario.until("b")


async def test_consul_that_comes_back_empty_has_no_traffic_written(tmp_path, instances):
    async with (
        Consul(tmp_path / "consul") as consul,
        ControlPlane(tmp_path / "control", consul.url, "--second-look", "1") as control,
        Client(control.bootstrap(), tmp_path / "client.log") as client,
    ):
        await consul.speak_grpc()
        scenario = Scenario(consul, control.address, client, "gone", "python")
        await scenario.register(*instances[:2])
        await scenario.resolve(DefaultSubset="a")
        await scenario.until("a")
        await consul.restart(empty=True)
        await scenario.register(*instances[:2])
        await scenario.until("ab")
