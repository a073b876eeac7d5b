"""Who is told the same, and that it is the same."""

import pytest

from gossamer_mesh.model import Audience, Entries, Instance, Mesh, Service
from gossamer_mesh.policy import Audiences, Contracts, plan

LIMITED = {"UpstreamConfig": {"Overrides": [{"Name": "catalog", "Limits": {"MaxConcurrentRequests": 9}}]}}
FAULT = '[{"from": "web", "abort": {"status": "INTERNAL"}}, {"delay": {"duration": "1s"}}]'
PREFER = '{"zones": "prefer"}'
WEB = Audience(zone="a", caller="web")


def mesh(*zones, **entries):
    instances = [Instance(id=zone, host="10.0.0.1", port=port, zone=zone) for port, zone in enumerate(zones, start=1)]
    return Mesh.of([Service.of("catalog", instances)], Entries(**entries))


@pytest.fixture
def audiences():
    return Audiences()


def told(audiences, mesh, asked=WEB):
    audiences.read(mesh)
    return audiences.of(asked)


def test_those_that_nobody_wrote_about_are_one(audiences):
    found = {told(audiences, mesh("a"), Audience(zone=str(n), caller=f"cli-{n}")) for n in range(1000)}
    assert found == {Audience()}


@pytest.mark.parametrize(
    "entries",
    [
        {"defaults": {"web": LIMITED}},
        {"extras": {"faults/catalog": FAULT}},
        {"defaults": {"web": {"Protocol": "grpc"}}, "extras": {"faults/orders": FAULT}},
    ],
)
def test_a_caller_that_an_entry_names_is_one_of_its_own(audiences, entries):
    assert told(audiences, mesh("a", **entries)) == Audience(caller="web")
    assert audiences.of(Audience(caller="cart")) == Audience()


def test_an_entry_that_only_says_how_a_caller_is_called_itself_names_none(audiences):
    assert told(audiences, mesh("a", defaults={"web": {"Protocol": "grpc"}})) == Audience()


@pytest.mark.parametrize("key", ["defaults", "defaults/catalog"])
def test_a_zone_is_one_of_its_own_where_callers_prefer_theirs_and_instances_are_there(audiences, key):
    found = told(audiences, mesh("a", "b", extras={key: PREFER}))
    assert found == Audience(zone="a")
    assert audiences.of(Audience(zone="c")) == Audience()
    assert told(audiences, mesh("a", "b")) == Audience()


def test_a_zone_whose_last_instance_went_stays_one(audiences):
    told(audiences, mesh("a", "b", extras={"defaults": PREFER}))
    assert told(audiences, mesh("b", extras={"defaults": PREFER})) == Audience(zone="a")


@pytest.mark.parametrize(
    "broken", [{"extras": {"faults/catalog": "["}}, {"broken_extras": {"faults/catalog": "no text"}}]
)
def test_what_a_value_said_last_stays_while_it_is_written_wrong(audiences, broken):
    told(audiences, mesh("a", extras={"faults/catalog": FAULT}))
    assert told(audiences, mesh("a", **broken)) == Audience(caller="web")
    assert told(audiences, mesh("a")) == Audience()


@pytest.mark.parametrize("zones", [(), ("a",), ("b",), ("a", "b")])
@pytest.mark.parametrize("extras", [{}, {"defaults": PREFER}, {"faults/catalog": FAULT}])
@pytest.mark.parametrize("defaults", [{}, {"web": LIMITED}])
@pytest.mark.parametrize("asked", [WEB, Audience(zone="a", caller="cart"), Audience(zone="c"), Audience()])
def test_each_is_told_what_it_would_be_if_it_were_planned_for_alone(audiences, zones, extras, defaults, asked):
    given = mesh(*zones, extras=extras, defaults=defaults)
    shared = told(audiences, given, asked)
    assert plan("catalog", given, Contracts(), asked).plan == plan("catalog", given, Contracts(), shared).plan
