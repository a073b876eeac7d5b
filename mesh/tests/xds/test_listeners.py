"""What listeners look like as xDS."""

from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from gossamer_mesh.model import Abort, Cluster, Fault, Plan, Route, Share
from gossamer_mesh.xds import Dialect

from .conversation import LDS, plan
from .reading import message, told

FAULTY = Plan(
    service="catalog",
    routes=(Route(to=(Share(cluster="catalog"),), fault=Fault(abort=Abort(status=14))),),
    clusters=(Cluster(name="catalog"),),
)


def manager(planned, dialect=Dialect.OTHER):
    made = HttpConnectionManager()
    listener = message(told(planned, dialect=dialect).get(LDS, "catalog"))
    assert listener.api_listener.api_listener.Unpack(made)
    return made


def test_a_listener_takes_its_routes_from_ads_and_ends_with_the_router():
    made = manager(plan("catalog", 1))
    assert made.rds.route_config_name == "catalog"
    assert made.rds.config_source.WhichOneof("config_source_specifier") == "ads"
    assert [filter_.name for filter_ in made.http_filters] == ["router"]


def test_the_fault_filter_comes_before_the_router_if_a_route_has_a_fault():
    assert [filter_.name for filter_ in manager(FAULTY).http_filters] == ["envoy.filters.http.fault", "router"]


def test_rust_has_no_fault_filter():
    assert [filter_.name for filter_ in manager(FAULTY, Dialect.RUST).http_filters] == ["router"]


def test_envoy_is_told_no_listeners_also_of_unknown_names():
    found = told(FAULTY, dialect=Dialect.ENVOY)
    assert list(found.names(LDS)) == []
    assert [found.get(LDS, "catalog"), found.get(LDS, "unknown")] == [None, None]
