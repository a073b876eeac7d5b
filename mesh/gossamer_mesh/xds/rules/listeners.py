"""Rules of listeners that clients follow."""

from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)

from gossamer_mesh.xds.rules import Problems, must

FILTERS = "type.googleapis.com/envoy.extensions.filters.http."
ROUTER = FILTERS + "router.v3.Router"
FAULT = FILTERS + "fault.v3.HTTPFault"
RBAC = FILTERS + "rbac.v3.RBAC"


def listener(message: Listener) -> Problems:
    """Check a listener."""
    manager = HttpConnectionManager()
    yield from must(
        (bool(message.name), "no name"),
        (message.api_listener.api_listener.Unpack(manager), "no HttpConnectionManager as api_listener"),
        (_from_ads(manager.rds), "routes that don't come from ADS"),
        (bool(manager.rds.route_config_name), "no name of routes"),
        (_ends_with_router(manager), "http_filters that don't end with the router"),
        (manager.xff_num_trusted_hops == 0, "xff_num_trusted_hops"),
        (not manager.original_ip_detection_extensions, "original_ip_detection_extensions"),
    )
    for each in manager.http_filters:
        yield from _filter(each)


def _from_ads(rds: Rds) -> bool:
    return rds.config_source.WhichOneof("config_source_specifier") in {"ads", "self"}


def _ends_with_router(manager: HttpConnectionManager) -> bool:
    routers = [filter_.typed_config.type_url == ROUTER for filter_ in manager.http_filters]
    return routers[-1:] == [True] and sum(routers) == 1


def _filter(each: HttpFilter) -> Problems:
    url = each.typed_config.type_url
    yield from must(
        (url != RBAC, f"the filter {each.name!r} is RBAC, which only servers take"),
        (url in {ROUTER, FAULT, RBAC} or each.is_optional, f"the filter {each.name!r} is unknown and not optional"),
    )
