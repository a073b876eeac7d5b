"""What Envoy needs that gRPC clients don't: endpoints again after their cluster changed."""

from .conversation import CDS, EDS, Conversation, names, plan, slower


def settled(user_agent):
    client = Conversation(plan("catalog", 1), plan("orders", 2), user_agent=user_agent)
    client.accept(client.settle(CDS))
    client.settle(EDS, "catalog", "orders")
    assert client.quiet()
    return client


def test_the_endpoints_of_a_changed_cluster_are_sent_again_though_they_did_not_change():
    """go-control-plane #245, envoy #13009: it waits 15 seconds for them."""
    client = settled("envoy")
    client.publish(slower(plan("catalog", 1), 1))
    clusters, endpoints = client.take(), client.take()
    assert [names(clusters), names(endpoints)] == [["catalog", "orders"], ["catalog"]]
    client.accept(clusters)
    client.accept(endpoints, "catalog", "orders")
    assert client.quiet()


def test_that_it_asks_for_them_with_the_nonce_it_had_changes_nothing():
    client = settled("envoy")
    client.publish(slower(plan("catalog", 1), 1))
    client.take()
    client.ask(EDS, "catalog", "orders", nonce="2", version="boot-1")
    assert names(client.take()) == ["catalog"]


def test_other_clients_are_not_sent_them_again():
    client = settled("gRPC Go")
    client.publish(slower(plan("catalog", 1), 1))
    assert names(client.take()) == ["catalog", "orders"]
    assert client.quiet()


def test_endpoints_that_it_does_not_follow_are_not_sent():
    client = Conversation(plan("catalog", 1), user_agent="envoy")
    client.settle(CDS)
    client.publish(slower(plan("catalog", 1), 1))
    assert client.take().type is CDS
    assert client.quiet()


def test_it_has_left_an_instance_also_while_its_endpoints_are_sent_again():
    client = settled("envoy")
    client.publish(plan("catalog", 5))
    client.accept(client.take(), "catalog", "orders")
    assert client.session.has_left("catalog", "127.0.0.1:1")
    client.publish(slower(plan("catalog", 5), 1))
    client.accept(client.take())
    client.accept(client.take(), "catalog", "orders")
    assert client.session.has_left("catalog", "127.0.0.1:1")
