"""What the clients of a service are told: which methods are tried again, and which instances are called."""

from gossamer_mesh.model import Audience, Endpoint, Entries, Health, Instance, Match, Mesh, PathIs, Retry, Service
from gossamer_mesh.policy import Contracts, plan

CONTRACTS = Contracts(repeatable={"shop.Catalog": ("/shop.Catalog/List", "/shop.Catalog/Get"), "shop.Orders": ()})


def instance(id_="a", host="10.0.0.1", port=80, **more):
    return Instance(id=id_, host=host, port=port, **more)


def planned(*instances, **more):
    return plan("catalog", Mesh.of([Service.of("catalog", instances)]), CONTRACTS, **more)


def levels(result):
    (cluster,) = result.plan.clusters
    return [[endpoint.address for endpoint in level] for level in cluster.levels]


def endpoints(*instances):
    return [address for level in levels(planned(*instances)) for address in level]


def routes(result):
    return [(route.match, route.retry, [share.cluster for share in route.to]) for route in result.plan.routes]


def exact(path):
    return Match(is_=PathIs.EXACT, path=path)


def test_methods_that_may_be_repeated_are_tried_again_and_no_others():
    retry = Retry(on=("unavailable",), times=3)
    assert routes(planned(instance(contracts=("shop.Catalog", "shop.Orders")))) == [
        (exact("/shop.Catalog/Get"), retry, ["catalog"]),
        (exact("/shop.Catalog/List"), retry, ["catalog"]),
        (Match(), None, ["catalog"]),
    ]


def test_a_contract_that_is_not_in_the_image_is_never_tried_again():
    assert routes(planned(instance(contracts=("other.Service",)))) == [(Match(), None, ["catalog"])]


def test_an_instance_that_drains_still_says_what_the_service_serves():
    assert len(routes(planned(instance(contracts=("shop.Catalog",), health=Health.MAINTENANCE)))) == 3


def test_a_name_that_nobody_has_registered_is_refused_at_once():
    result = plan("nobody", Mesh(), CONTRACTS)
    assert (routes(result), levels(result)) == ([(Match(), None, ["nobody"])], [])


def test_an_instance_keeps_its_weight():
    (cluster,) = planned(instance(weight=7)).plan.clusters
    assert [endpoint.weight for endpoint in cluster.endpoints] == [7]


def test_the_callers_own_zone_comes_first_only_where_that_is_asked_for():
    instances = [instance("a", port=1, zone="x"), instance("b", port=2, zone="y")]
    services = [Service.of("catalog", instances)]
    here = Audience(zone="y")
    prefer = Mesh.of(services, Entries(extras={"defaults": '{"zones": "prefer"}'}))
    assert levels(plan("catalog", Mesh.of(services), CONTRACTS, here)) == [["10.0.0.1:1", "10.0.0.1:2"]]
    assert levels(plan("catalog", prefer, CONTRACTS, here)) == [["10.0.0.1:2"], ["10.0.0.1:1"]]
    assert levels(plan("catalog", prefer, CONTRACTS)) == [["10.0.0.1:1", "10.0.0.1:2"]]


def test_passing_and_warning_instances_are_called_and_no_others():
    instances = [instance(health.value, port=n, health=health) for n, health in enumerate(Health, start=1)]
    assert endpoints(*instances) == ["10.0.0.1:1", "10.0.0.1:2"]


def test_endpoints_are_in_the_order_of_their_addresses_whatever_the_ids():
    assert endpoints(instance("z", port=1), instance("a", port=2)) == ["10.0.0.1:1", "10.0.0.1:2"]


def test_an_address_that_is_registered_twice_is_one_endpoint():
    """Most clients refuse an assignment that holds an address twice."""
    assert endpoints(instance("old"), instance("new")) == ["10.0.0.1:80"]


def test_an_ipv6_address_is_written_in_its_shortest_form():
    assert endpoints(instance(host="0:0::1")) == ["[::1]:80"]
    assert endpoints(instance("a", host="::1"), instance("b", host="0::1")) == ["[::1]:80"]


def test_an_instance_with_a_host_name_is_left_out_and_said():
    result = planned(instance("a", host="catalog.local"), instance("b"))
    assert levels(result) == [["10.0.0.1:80"]]
    (refusal,) = result.refusals
    assert (refusal.service, refusal.subject) == ("catalog", "instance a")
    assert "found 'catalog.local'" in refusal.reason


def test_an_instance_that_can_not_be_called_is_left_out():
    for unreachable in (instance(host="0.0.0.0"), instance(host="224.0.0.1"), instance(port=0), instance(port=70000)):
        result = planned(unreachable)
        assert levels(result) == []
        assert len(result.refusals) == 1


def test_an_instance_that_is_not_called_anyway_is_not_complained_about():
    assert planned(instance(host="catalog.local", health=Health.CRITICAL)).refusals == ()


def test_an_endpoint_keeps_its_zone():
    (cluster,) = planned(instance(zone="b")).plan.clusters
    assert cluster.endpoints == (Endpoint(host="10.0.0.1", port=80, zone="b"),)
