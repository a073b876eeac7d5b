"""A service's name -> its Listener: where its routes come from, and what is done to calls before they are routed."""

from collections.abc import Iterator

from envoy.config.listener.v3.api_listener_pb2 import ApiListener
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from gossamer_mesh.xds import faults
from gossamer_mesh.xds.wire import ADS, pack


def listener(name: str, *, faulty: bool) -> Listener:
    """Make the listener; `faulty`: some of its routes have a fault."""
    manager = hcm.HttpConnectionManager(
        stat_prefix=name, rds=hcm.Rds(config_source=ADS, route_config_name=name), http_filters=_filters(faulty=faulty)
    )
    return Listener(name=name, api_listener=ApiListener(api_listener=pack(manager)))


def _filters(*, faulty: bool) -> Iterator[hcm.HttpFilter]:
    if faulty:
        yield faults.http_filter()
    yield hcm.HttpFilter(name="router", typed_config=pack(Router()))
