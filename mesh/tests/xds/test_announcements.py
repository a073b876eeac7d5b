"""What grpc-go needs that others don't: routes name a cluster before calls go to it."""

from dataclasses import replace

from envoy.config.route.v3.route_pb2 import RouteConfiguration

from gossamer_mesh.model import Cluster, Route, Share

from .conversation import CDS, EDS, LDS, RDS, Conversation, decoded, names, plan

GO = "gRPC Go"


def leading(service, *clusters):
    """A plan whose calls go to these clusters alike."""
    planned = plan(service, 1)
    routes = (Route(to=tuple(Share(cluster=name, weight=1) for name in clusters)),)
    others = tuple(Cluster(name=name, levels=planned.clusters[0].levels) for name in clusters if name != service)
    return replace(planned, routes=routes, clusters=(*planned.clusters, *others))


def following(user_agent):
    client = Conversation(plan("catalog", 1), user_agent=user_agent)
    for type_ in (LDS, RDS, CDS, EDS):
        client.settle(type_, "catalog")
    return client


def leads(response):
    """Where each route leads."""
    (packed,) = decoded(response).resources
    actions = [route.route for route in RouteConfiguration.FromString(packed.value).virtual_hosts[0].routes]
    return [
        [action.cluster] if action.cluster else [x.name for x in action.weighted_clusters.clusters]
        for action in actions
    ]


def test_a_cluster_is_announced_and_led_to_when_its_endpoints_are_accepted():
    client = following(GO)
    client.publish(leading("catalog", "catalog/v2"))
    announcement = client.take()
    assert leads(announcement) == [["catalog"], ["catalog/v2"]]
    assert announcement.version.startswith("announcing-")
    client.accept(announcement, "catalog")
    assert client.session.take() is None
    client.ask(CDS, "catalog", "catalog/v2", nonce="3", version="boot-1")
    client.accept(client.take(), "catalog", "catalog/v2")
    client.ask(EDS, "catalog", "catalog/v2", nonce="4", version="boot-1")
    endpoints = client.take()
    assert client.session.take() is None
    client.accept(endpoints, "catalog", "catalog/v2")
    routes = client.take()
    assert leads(routes) == [["catalog/v2"]]
    client.accept(routes, "catalog")
    assert client.quiet()


def test_other_clients_are_not_told_twice():
    client = following("gRPC C-core")
    client.publish(leading("catalog", "catalog/v2"))
    assert leads(client.take()) == [["catalog/v2"]]
    assert client.quiet()


def test_the_first_routes_are_not_announced():
    client = Conversation(leading("catalog", "catalog/v1", "catalog/v2"), user_agent=GO)
    client.ask(RDS, "catalog")
    assert leads(client.take()) == [["catalog/v1", "catalog/v2"]]


def test_routes_to_known_clusters_are_not_announced():
    client = following(GO)
    client.publish(plan("catalog", 1, retried=["/a/b"]))
    assert leads(client.take()) == [["catalog"], ["catalog"]]
    assert client.quiet()


def test_another_new_cluster_is_announced_beside_the_first():
    client = following(GO)
    client.publish(leading("catalog", "catalog/v2"))
    client.take()
    client.publish(leading("catalog", "catalog/v3"))
    assert leads(client.take()) == [["catalog"], ["catalog/v2"], ["catalog/v3"]]


def test_what_is_taken_back_before_it_was_led_to_ends_the_announcement():
    client = following(GO)
    client.publish(leading("catalog", "catalog/v2"))
    client.accept(client.take(), "catalog")
    client.publish(plan("catalog", 1))
    response = client.take()
    assert (names(response), leads(response)) == (["catalog"], [["catalog"]])
    assert client.quiet()


def test_a_client_that_begins_again_is_sent_what_there_is():
    client = following(GO)
    client.publish(leading("catalog", "catalog/v2"))
    client.take()
    client.ask(RDS, "catalog")
    assert leads(client.take()) == [["catalog/v2"]]
