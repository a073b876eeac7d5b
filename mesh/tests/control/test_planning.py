"""Plans are made for each audience that is there, and again only where something that they depend on changed."""

import pytest

from gossamer_mesh.control.planning import ANYONE, Planning
from gossamer_mesh.model import Audience, Entries, Instance, Mesh, Service
from gossamer_mesh.policy import Contracts

CONTRACTS = Contracts()
WEB, CART = Audience(zone="a", caller="web"), Audience(zone="b", caller="cart")


def mesh(entries=None, **ports):
    services = (Service.of(name, [Instance(id=name, host="10.0.0.1", port=port)]) for name, port in ports.items())
    return Mesh.of(services, entries)


def made(planning, *arguments):
    """Which services are planned again, for each audience."""
    return {audience: [each.plan.service for each in planned] for audience, planned in planning.plan(*arguments)}


@pytest.fixture
def planning():
    planning = Planning()
    assert made(planning, mesh(catalog=1, orders=2), CONTRACTS) == {}
    planning.begin(WEB)
    planning.begin(CART)
    return planning


def test_one_who_comes_is_planned_everything_for(planning):
    planned = planning.begin(Audience(caller="new"))
    assert [each.plan.service for each in planned] == ["catalog", "orders"]


def test_what_did_not_change_is_not_planned_again(planning):
    assert made(planning, mesh(catalog=1, orders=2), CONTRACTS) == {WEB: [], CART: []}


def test_a_changed_service_is_planned_again_and_no_other(planning):
    assert made(planning, mesh(catalog=1, orders=3), CONTRACTS) == {WEB: ["orders"], CART: ["orders"]}


def test_a_service_that_comes_is_planned(planning):
    assert made(planning, mesh(catalog=1, orders=2, tax=3), CONTRACTS) == {WEB: ["tax"], CART: ["tax"]}


def test_a_service_whose_calls_go_to_another_is_planned_again_with_it(planning):
    target = {"Service": "catalog", "Datacenter": "dc1"}
    resolver = {"Type": "resolver", "Name": "catalog.default.default.dc1", "Resolver": {"Target": "catalog"}}
    chain = {
        "Protocol": "grpc",
        "Datacenter": "dc1",
        "StartNode": "resolver:catalog.default.default.dc1",
        "Nodes": {"resolver:catalog.default.default.dc1": resolver},
        "Targets": {"catalog": target},
    }
    entries = Entries(chains={"shop": chain})
    assert made(planning, mesh(entries, catalog=1, orders=2), CONTRACTS) == {WEB: ["shop"], CART: ["shop"]}
    expected = ["catalog", "shop"]
    assert made(planning, mesh(entries, catalog=5, orders=2), CONTRACTS) == {WEB: expected, CART: expected}


def test_a_service_whose_chain_broke_is_planned_again_and_no_other(planning):
    broken = Entries(broken_chains={"orders": "circular", "unknown": "circular"})
    expected = ["orders", "unknown"]
    assert made(planning, mesh(broken, catalog=1, orders=2), CONTRACTS) == {WEB: expected, CART: expected}
    assert {refusal.subject for refusal in planning.refusals} == {f"discovery chain of {name}" for name in expected}


def test_contracts_and_what_all_depend_on_have_everything_planned_again(planning):
    everything = {WEB: ["catalog", "orders"], CART: ["catalog", "orders"]}
    contracts = Contracts(repeatable={"shop.Catalog": ("/shop.Catalog/Get",)})
    assert made(planning, mesh(catalog=1, orders=2), contracts) == everything
    written = Entries(defaults={"web": {"Kind": "service-defaults", "Name": "web"}})
    assert made(planning, mesh(written, catalog=1, orders=2), contracts) == everything


def test_those_that_are_not_kept_are_planned_for_no_more(planning):
    planning.keep({WEB})
    assert made(planning, mesh(catalog=1, orders=3), CONTRACTS) == {WEB: ["orders"]}


def test_what_is_left_out_for_anyone_is_told():
    planning = Planning()
    made(planning, Mesh.of([Service.of("catalog", [Instance(id="a", host="catalog.local", port=1)])]), CONTRACTS)
    assert planning.refusals == frozenset()
    planning.begin(WEB)
    (refusal,) = planning.refusals
    assert (refusal.service, refusal.subject) == ("catalog", "instance a")


def test_one_service_is_found_for_an_audience_that_is_there_and_for_one_that_is_not(planning):
    planning.begin(ANYONE)
    found = planning.find(Audience(caller="new"), "catalog")
    assert found is planning.find(ANYONE, "catalog")
    planning.keep({WEB})
    assert planning.find(Audience(caller="new"), "catalog") == found
    assert made(planning, mesh(catalog=1, orders=3), CONTRACTS) == {WEB: ["orders"]}


def test_one_who_comes_while_something_is_refused_goes_on_with_what_anyone_has():
    good, bad = (Entries(extras={"defaults/catalog": text}) for text in ('{"timeout": "2s"}', "{"))
    contracts = Contracts(unary={"shop.Catalog": ("/shop.Catalog/Get",)})
    instances = [Instance(id="a", host="10.0.0.1", port=1, contracts=("shop.Catalog",))]
    planning = Planning()
    made(planning, Mesh.of([Service.of("catalog", instances)], good), contracts)
    planning.begin(ANYONE)
    made(planning, Mesh.of([Service.of("catalog", instances)], bad), contracts)
    (planned,) = planning.begin(WEB)
    assert planned.plan.routes[0].timeout == 2.0
    assert planned.refusals
