"""What people write about traffic, read from a real Consul: it arrives with the services, each change soon after."""

import asyncio
from itertools import pairwise

import pytest
import pytest_asyncio
from harness.consul import Consul
from harness.told import watching

import gossamer_mesh.consul.chains
import gossamer_mesh.consul.written
from gossamer_mesh.consul.asking import Answer, ask
from gossamer_mesh.consul.chains import Chains
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.questions import config_entries
from gossamer_mesh.consul.subsets import Subsets
from gossamer_mesh.consul.written import KINDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 2.0
"""Seconds within which a change must have been told."""

V1, V2 = 'Service.Meta.version == "v1"', 'Service.Meta.version == "v2"'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        await consul.speak_grpc()
        yield consul


async def register(consul, service, *versions):
    """One instance of each version, called after both. Its check comes too seldom to matter."""
    for version in versions:
        instance = f"{service}-{version}"
        await consul.register(service, instance, "127.0.0.1:1", meta={"version": version}, interval="60m")


async def write_subsets(consul, service, **subsets):
    await consul.configure("service-resolver", service, Subsets={name: {"Filter": f} for name, f in subsets.items()})


async def split(consul, service, v1, v2):
    splits = [{"Weight": v1, "ServiceSubset": "v1"}, {"Weight": v2, "ServiceSubset": "v2"}]
    await consul.configure("service-splitter", service, Splits=splits)


def weights(mesh, service):
    nodes = mesh.entries.chains.get(service, {}).get("Nodes", {}).values()
    return [split["Weight"] for node in nodes for split in node.get("Splits", [])]


def kinds(mesh, service):
    return {node["Type"] for node in mesh.entries.chains[service]["Nodes"].values()}


async def test_the_first_reading_has_everything_that_is_written(consul):
    await register(consul, "first", "v1", "v2")
    await write_subsets(consul, "first", v1=V1, v2=V2)
    await split(consul, "first", 90, 10)
    route = {"Match": {"HTTP": {"PathExact": "/a.B/C"}}, "Destination": {"ServiceSubset": "v2"}}
    await consul.configure("service-router", "first", Routes=[route])
    await consul.configure(
        "service-defaults", "first", Protocol="grpc", UpstreamConfig={"Defaults": {"Protocol": "grpc"}}
    )
    await consul.put("/v1/kv/gossamer/first", {"a": 1})
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda _: True)
    assert (kinds(mesh, "first"), weights(mesh, "first")) == ({"router", "splitter", "resolver"}, [90, 10])
    assert (mesh.entries.selected["first", V1], mesh.entries.selected["first", V2]) == ({"first-v1"}, {"first-v2"})
    assert mesh.entries.defaults["first"]["UpstreamConfig"]["Defaults"]["Protocol"] == "grpc"
    assert mesh.entries.extras["first"] == '{"a": 1}'


async def test_a_changed_splitter_is_told_soon_and_its_end_too(consul):
    await register(consul, "shift", "v1", "v2")
    await write_subsets(consul, "shift", v1=V1, v2=V2)
    async with watching(consul.url) as told:
        await told.until(lambda mesh: "shift" in mesh.entries.chains)
        await split(consul, "shift", 90, 10)
        await told.until(lambda mesh: weights(mesh, "shift") == [90, 10], within=SOON)
        await split(consul, "shift", 40, 60)
        await told.until(lambda mesh: weights(mesh, "shift") == [40, 60], within=SOON)
        await consul.erase("service-splitter", "shift")
        await told.until(lambda mesh: not weights(mesh, "shift"), within=SOON)


@pytest.mark.parametrize("name", ["far", "Far"])
async def test_a_change_of_what_a_chain_leads_to_is_told_in_that_chain(consul, name):
    """Consul tells names apart whatever their case."""
    await write_subsets(consul, "far", v1=V1, v2=V2)
    await consul.configure("service-resolver", "near", Redirect={"Service": name})
    async with watching(consul.url) as told:
        await told.until(lambda mesh: "near" in mesh.entries.chains)
        await consul.configure("service-resolver", "far", ConnectTimeout="7s")
        await told.until(lambda mesh: "7s" in str(mesh.entries.chains["near"]["Nodes"]), within=SOON)


async def test_a_change_for_all_services_is_told_in_their_chains(tmp_path):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.configure("service-resolver", "web", ConnectTimeout="3s")
        await told.until(lambda mesh: "web" in mesh.entries.chains)
        await consul.speak_grpc()
        await told.until(lambda mesh: mesh.entries.chains["web"]["Protocol"] == "grpc", within=SOON)


async def test_a_name_without_instances_has_a_chain_as_soon_as_it_is_redirected(consul):
    async with watching(consul.url) as told:
        await told.until(lambda _: True)
        await consul.configure("service-resolver", "old", Redirect={"Service": "new"})
        mesh, _ = await told.until(lambda mesh: "old" in mesh.entries.chains, within=SOON)
        assert [target["Service"] for target in mesh.entries.chains["old"]["Targets"].values()] == ["new"]
        assert "old" not in mesh.services
        await consul.erase("service-resolver", "old")
        await told.until(lambda mesh: "old" not in mesh.entries.chains, within=SOON)


async def test_a_service_of_which_nothing_is_written_has_no_chain(consul):
    await register(consul, "plain", "v1")
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: "plain" in mesh.services)
        assert "plain" not in mesh.entries.chains


async def test_a_service_has_the_chain_of_an_entry_whose_name_it_has_in_another_case(consul):
    await register(consul, "lower", "v1")
    await consul.configure("service-resolver", "LOWER", ConnectTimeout="7s")
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: "lower" in mesh.entries.chains)
        assert "7s" in str(mesh.entries.chains["lower"]["Nodes"])


async def test_an_instance_whose_meta_changes_moves_between_subsets_at_once(consul):
    await register(consul, "move", "v1", "v2")
    await write_subsets(consul, "move", v1=V1, v2=V2)
    await split(consul, "move", 50, 50)
    async with watching(consul.url) as told:
        await told.until(lambda mesh: mesh.entries.selected.get(("move", V1)) == {"move-v1"})
        await consul.register("move", "move-v1", "127.0.0.1:1", meta={"version": "v2"}, interval="60m")
        mesh, _ = await told.until(lambda mesh: version(mesh, "move", "move-v1") == "v2", within=SOON)
        assert mesh.entries.selected["move", V1] == frozenset()
        assert mesh.entries.selected["move", V2] == {"move-v1", "move-v2"}


def version(mesh, service, instance):
    found = mesh.find(service, instance)
    return found and found.version


async def test_a_filter_of_what_no_instance_shows_is_followed_too(consul):
    """The change is one of the registration alone: what the mesh holds of the instance stays the same."""
    await register(consul, "tagged", "v1")
    await write_subsets(consul, "tagged", beta='"a+b &c" in Service.Tags')
    await consul.configure("service-resolver", "to-tagged", Redirect={"Service": "tagged", "ServiceSubset": "beta"})
    key = ("tagged", '"a+b &c" in Service.Tags')
    async with watching(consul.url) as told:
        await told.until(lambda mesh: mesh.entries.selected.get(key) == frozenset())
        registered = (await consul.get("/v1/agent/services"))["tagged-v1"]
        definition = {name: registered[name] for name in ("ID", "Address", "Port", "Meta")}
        await consul.put("/v1/agent/service/register", {**definition, "Name": "tagged", "Tags": ["a+b &c"]})
        await told.until(lambda mesh: mesh.entries.selected[key] == {"tagged-v1"}, within=SOON)


async def test_the_subsets_of_a_service_that_is_gone_select_nothing(consul):
    await register(consul, "gone", "v1")
    await write_subsets(consul, "gone", v1=V1)
    await consul.configure("service-resolver", "to-gone", Redirect={"Service": "gone", "ServiceSubset": "v1"})
    async with watching(consul.url) as told:
        await told.until(lambda mesh: mesh.entries.selected.get(("gone", V1)) == {"gone-v1"})
        await consul.deregister("gone-v1")
        await told.until(lambda mesh: mesh.entries.selected["gone", V1] == frozenset(), within=SOON)
        await register(consul, "gone", "v1")
        await told.until(lambda mesh: mesh.entries.selected["gone", V1] == {"gone-v1"}, within=SOON)


async def test_a_value_appears_changes_and_disappears(consul):
    async with watching(consul.url) as told:
        await told.until(lambda _: True)
        for value in ({"percent": 10}, {"percent": 20}):
            await consul.put("/v1/kv/gossamer/faults/catalog", value)
            text = f'{{"percent": {value["percent"]}}}'
            await told.until(lambda mesh, text=text: mesh.entries.extras.get("faults/catalog") == text, within=SOON)
        await consul.delete("/v1/kv/gossamer/faults/catalog")
        await told.until(lambda mesh: "faults/catalog" not in mesh.entries.extras, within=SOON)


async def test_values_elsewhere_and_entries_written_again_are_no_change(consul):
    """Services that the tests before left are taken from this agent for a while yet: these are changes."""
    await consul.configure("service-defaults", "same", Protocol="grpc")
    readings = []

    def last(mesh):
        readings.append(mesh)
        return "last" in mesh.entries.defaults

    async with watching(consul.url) as told:
        await told.until(lambda mesh: not last(mesh) and "same" in mesh.entries.defaults)
        await consul.put("/v1/kv/other", {"a": 1})
        await consul.erase("service-defaults", "unknown")
        await consul.configure("service-defaults", "same", Protocol="grpc")
        await consul.configure("service-defaults", "last", Protocol="grpc")
        await told.until(last, within=SOON)
    assert [after for before, after in pairwise(readings) if after == before] == []


async def test_an_instance_has_the_weight_of_its_registration(consul):
    check = {"GRPC": "127.0.0.1:1", "Interval": "60m", "Status": "warning"}
    body = {"Name": "heavy", "Address": "127.0.0.1", "Port": 1, "Weights": {"Passing": 9, "Warning": 4}, "Check": check}
    await consul.put("/v1/agent/service/register", body)
    async with watching(consul.url) as told:
        mesh, _ = await told.until(lambda mesh: "heavy" in mesh.services)
        assert mesh.services["heavy"].instances[0].weight == 4


async def test_an_agent_that_lost_its_data_has_forgotten_what_was_written(tmp_path):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.configure("service-resolver", "old", Redirect={"Service": "new"})
        await consul.configure("service-defaults", "new", Protocol="tcp")
        await consul.put("/v1/kv/gossamer/a", {})
        await told.until(lambda mesh: mesh.entries.chains and mesh.entries.defaults and mesh.entries.extras)
        await consul.restart(empty=True)
        mesh, restarted = await told.until(lambda mesh: not mesh.entries.chains)
        assert (dict(mesh.entries.defaults), dict(mesh.entries.extras), restarted) == ({}, {}, True)


async def test_an_agent_that_kept_its_data_has_kept_what_was_written(tmp_path):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await consul.configure("service-resolver", "old", Redirect={"Service": "new"})
        mesh, _ = await told.until(lambda mesh: "old" in mesh.entries.chains)
        await consul.restart(empty=False)
        await told.failures.get()
        assert (await told.until(lambda _: True))[0].entries == mesh.entries


async def test_a_token_that_consul_does_not_know_is_told_with_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "00000000-0000-0000-0000-000000000001")
    acl = {"enabled": True, "default_policy": "deny"}
    async with ClosedConsul(tmp_path, acl=acl) as consul, watching(consul.url) as told, asyncio.timeout(15):
        assert 'the key prefix "gossamer/"' in await told.failures.get()


class ClosedConsul(Consul):
    """An agent that tells a stranger nothing but who leads."""

    async def _has_leader(self):
        return bool(await self.get("/v1/status/leader"))


async def many_chains(consul, told, size):
    """Write chains of two names each."""
    for number in range(size):
        await consul.configure("service-resolver", f"from-{number}", Redirect={"Service": f"to-{number}"})
    await told.until(lambda mesh: len(mesh.entries.chains) == size)


@pytest.fixture
def asked(monkeypatch):
    """Whose chains are asked for."""
    asked, real = [], gossamer_mesh.consul.chains.questions.chain
    monkeypatch.setattr(
        gossamer_mesh.consul.chains.questions, "chain", lambda client, name: asked.append(name) or real(client, name)
    )
    return asked


async def test_a_change_of_one_entry_asks_for_the_chains_it_is_in_and_for_no_other(tmp_path, asked):
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await many_chains(consul, told, 50)
        asked.clear()
        await consul.configure("service-resolver", "to-7", ConnectTimeout="7s")
        await told.until(lambda mesh: "to-7" in mesh.entries.chains, within=SOON)
        assert sorted(asked) == ["from-7", "to-7"]


async def test_control_without_knowing_what_a_chain_is_made_of_all_are_asked_for(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(gossamer_mesh.consul.written.Written, "reach", lambda *_: frozenset({"to-7"}))
    async with Consul(tmp_path) as consul, watching(consul.url) as told:
        await many_chains(consul, told, 50)
        asked.clear()
        await consul.configure("service-resolver", "to-7", ConnectTimeout="7s")
        await told.until(lambda mesh: "to-7" in mesh.entries.chains, within=SOON)
        assert len(asked) == 51


async def test_chains_take_no_more_connections_however_many_there_are(tmp_path):
    """One query for the names, five for the kinds, one for the values, eight for chains, and one of the test."""
    async with Consul(tmp_path, limits={"http_max_conns_per_client": 16}) as consul, watching(consul.url) as told:
        await many_chains(consul, told, 60)
        await consul.speak_grpc()
        await told.until(lambda mesh: {chain["Protocol"] for chain in mesh.entries.chains.values()} == {"grpc"})
        assert told.failures.empty()


@pytest.mark.parametrize("told", [True, False])
async def test_an_entry_that_came_and_went_between_two_answers_leaves_no_trace(consul, told):
    """Control: not told that the lists may have missed something, a chain keeps what was read meanwhile."""
    await consul.configure("service-resolver", "brief", ConnectTimeout="3s")
    async with Client(consul.url) as client:
        free = asyncio.Semaphore(1)
        chains = Chains(client, Subsets(client, free), free, {})
        indexes = {kind: await listed(client, chains, kind) for kind in KINDS}
        await consul.configure("service-router", "brief", Routes=[{"Match": {"HTTP": {"PathPrefix": "/a"}}}])
        await chains.read([])
        assert "PathPrefix" in str(chains.compiled["brief"]["Nodes"])
        await consul.erase("service-router", "brief")
        await listed(client, chains, "service-router", behind=indexes["service-router"] if told else 2**62)
        await chains.read([])
        assert ("PathPrefix" in str(chains.compiled["brief"]["Nodes"])) is not told


async def listed(client, chains, kind, behind=0):
    index, found = await ask(client, config_entries(client, kind))
    chains.take(kind, Answer(value=found, index=index, behind=behind, changed=True))
    return index
