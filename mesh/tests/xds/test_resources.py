"""What a plan looks like as xDS: the exact messages, the same bytes for the same plan, spelled once."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.json_format import MessageToDict

from gossamer_mesh.model import Endpoint, Plan
from gossamer_mesh.xds.resources import Resources, spell

from .conversation import CDS, EDS, LDS, RDS, plan

MESSAGES = {LDS: Listener, RDS: RouteConfiguration, CDS: Cluster, EDS: ClusterLoadAssignment}


def spelled(plan, type_):
    resource = next(resource for resource in spell(plan) if resource.type is type_)
    message = MESSAGES[type_]()
    assert DiscoveryResponse.FromString(resource.wire).resources[0].Unpack(message)
    return message


def test_every_resource_has_the_services_name():
    assert {resource.name for resource in spell(plan("catalog", 1))} == {"catalog"}
    assert [spelled(plan("catalog", 1), type_).name for type_ in (LDS, RDS, CDS)] == ["catalog"] * 3
    assert spelled(plan("catalog", 1), EDS).cluster_name == "catalog"


def test_a_listener_takes_its_routes_from_ads_and_ends_with_the_router():
    manager = HttpConnectionManager()
    assert spelled(plan("catalog", 1), LDS).api_listener.api_listener.Unpack(manager)
    assert manager.rds.route_config_name == "catalog"
    assert manager.rds.config_source.WhichOneof("config_source_specifier") == "ads"
    assert [filter_.name for filter_ in manager.http_filters] == ["router"]


def test_a_cluster_takes_its_endpoints_from_ads():
    assert MessageToDict(spelled(plan("catalog", 1), CDS)) == {
        "name": "catalog",
        "type": "EDS",
        "edsClusterConfig": {"edsConfig": {"ads": {}, "resourceApiVersion": "V3"}},
    }


def test_methods_that_may_be_repeated_get_exact_routes_before_the_one_for_all_else():
    routes = spelled(plan("catalog", 1, retried=["/shop.Catalog/Get"]), RDS).virtual_hosts[0].routes
    assert [MessageToDict(route) for route in routes] == [
        {
            "match": {"path": "/shop.Catalog/Get"},
            "route": {"cluster": "catalog", "retryPolicy": {"retryOn": "unavailable", "numRetries": 3}},
        },
        {"match": {"prefix": ""}, "route": {"cluster": "catalog"}},
    ]


def test_an_assignment_has_a_locality_for_each_zone_weighed_by_its_endpoints():
    endpoints = tuple(Endpoint(host=f"10.0.0.{n}", port=80, zone="b" if n > 1 else "a") for n in (1, 2, 3))
    localities = spelled(Plan(service="catalog", endpoints=endpoints), EDS).endpoints
    assert [(x.locality.zone, x.load_balancing_weight.value, len(x.lb_endpoints)) for x in localities] == [
        ("a", 1, 1),
        ("b", 2, 2),
    ]


def test_no_endpoints_become_one_that_refuses():
    """xds.md 7.3 item 2: after an empty assignment Java calls the dead, and Rust hangs."""
    (locality,) = spelled(plan("catalog"), EDS).endpoints
    (member,) = locality.lb_endpoints
    assert MessageToDict(member.endpoint.address) == {"socketAddress": {"address": "127.0.0.1", "portValue": 1}}
    assert locality.load_balancing_weight.value == 1


def test_the_endpoint_that_refuses_is_no_address_of_the_service():
    assert [resource.addresses for resource in spell(plan("catalog")) if resource.type is EDS] == [frozenset()]


def test_equal_plans_give_equal_bytes():
    first = spell(plan("catalog", 1, 2, retried=["/a/b", "/a/c"]))
    second = spell(plan("catalog", 1, 2, retried=["/a/b", "/a/c"]))
    assert [resource.wire for resource in first] == [resource.wire for resource in second]


def test_what_did_not_change_is_not_spelled_again():
    resources = Resources(boot="boot")
    before = resources.update([plan("catalog", 1), plan("orders", 2)])
    after = resources.update([plan("catalog", 1), plan("orders", 3)])
    assert after.get(EDS, "catalog") is before.get(EDS, "catalog")
    assert after.get(CDS, "orders") is before.get(CDS, "orders")
    assert not after.get(EDS, "orders").same(before.get(EDS, "orders"))


def test_only_the_version_of_a_changed_type_moves():
    resources = Resources(boot="boot")
    before = resources.update([plan("catalog", 1)])
    after = resources.update([plan("catalog", 2)])
    assert before.versions == {LDS: "boot-1", RDS: "boot-1", CDS: "boot-1", EDS: "boot-1"}
    assert after.versions == {**before.versions, EDS: "boot-2"}


def test_a_set_does_not_change_after_it_was_made():
    resources = Resources(boot="boot")
    before = resources.update([plan("catalog", 1)])
    held = before.get(EDS, "catalog")
    resources.update([plan("catalog", 2), plan("orders", 3)])
    assert before.get(EDS, "catalog") is held
    assert list(before.names(EDS)) == ["catalog"]


def test_a_name_that_no_plan_has_any_more_is_kept():
    resources = Resources(boot="boot")
    before = resources.update([plan("catalog", 1)])
    assert resources.update([]).get(LDS, "catalog") is before.get(LDS, "catalog")


def test_an_unknown_name_gets_the_resources_of_a_service_without_instances():
    unknown = Resources(boot="boot").update([])
    empty = Resources(boot="boot").update([plan("later")])
    for type_ in (LDS, RDS, CDS, EDS):
        assert unknown.get(type_, "later").same(empty.get(type_, "later"))
    assert list(unknown.names(LDS)) == []


def test_a_name_that_no_resource_can_have_gets_none():
    unknown = Resources(boot="boot").update([])
    assert [unknown.get(type_, "") for type_ in (LDS, RDS, CDS, EDS)] == [None] * 4


def test_unknown_names_cost_nothing_when_nobody_holds_them():
    resources = Resources(boot="boot").update([])
    held = resources.get(LDS, "held")
    for number in range(100):
        resources.get(LDS, f"dropped-{number}")
    assert resources.get(LDS, "held") is held
    assert len(resources._stubs) == 1


def test_what_some_client_would_refuse_is_left_out_and_the_one_before_stays():
    resources = Resources(boot="boot")
    before = resources.update([plan("catalog", 1)])
    wrong = Plan(service="catalog", endpoints=(Endpoint(host="catalog.local", port=1),))
    after = resources.update([wrong])
    assert after.illegal == ("ClusterLoadAssignment 'catalog': a host name where an IP address is expected",)
    assert after.get(EDS, "catalog") is before.get(EDS, "catalog")
    assert resources.update([wrong]).illegal == ()
