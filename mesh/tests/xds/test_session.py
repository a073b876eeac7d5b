"""The session's rules, one by one: what a client asks and answers, and what it is sent for it. No sockets, no clock.

Scenarios are those of ii/xds-test-harness and of go-control-plane's tests, and the bugs that other control planes had.
"""

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from gossamer_mesh.xds.session import Session
from gossamer_mesh.xds.types import Type

from .conversation import CDS, EDS, LDS, RDS, Conversation, decoded, names, plan, slower


def test_a_client_gets_exactly_what_it_asked_for():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.ask(LDS, "catalog")
    response = client.take()
    assert names(response) == ["catalog"]
    assert client.quiet()


def test_a_response_names_its_type_version_and_nonce():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    response = decoded(client.take())
    assert response.type_url == "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    assert response.version_info == "boot-1"
    assert response.nonce == "1"
    assert [resource.type_url for resource in response.resources] == [response.type_url]


def test_nothing_is_sent_before_there_is_anything():
    client = Conversation(plan("catalog", 1))
    client.session = Session()
    client.ask(LDS, "catalog")
    assert client.quiet()


def test_a_request_from_before_the_first_snapshot_is_answered_when_it_comes():
    client = Conversation()
    client.session = Session()
    client.ask(LDS, "catalog")
    client.publish(plan("catalog", 1))
    assert names(client.take()) == ["catalog"]


def test_an_accepted_response_is_not_sent_again():
    client = Conversation(plan("catalog", 1))
    client.settle(EDS, "catalog")
    assert client.quiet()


def test_an_unchanged_snapshot_sends_nothing():
    client = Conversation(plan("catalog", 1))
    client.settle(EDS, "catalog")
    client.publish(plan("catalog", 1))
    assert client.quiet()


def test_a_change_of_another_service_sends_nothing():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.settle(EDS, "catalog")
    client.publish(plan("orders", 3))
    assert client.quiet()


def test_a_changed_assignment_is_sent_without_being_asked_for():
    client = Conversation(plan("catalog", 1))
    client.settle(EDS, "catalog")
    client.publish(plan("catalog", 1, 2))
    assert client.take().resources[0].addresses == {"127.0.0.1:1", "127.0.0.1:2"}


def test_changes_that_come_before_a_response_is_taken_become_one():
    client = Conversation(plan("catalog", 1))
    client.settle(EDS, "catalog")
    for port in range(2, 100):
        client.publish(plan("catalog", port))
    assert client.take().resources[0].addresses == {"127.0.0.1:99"}
    assert client.quiet()


def test_a_change_that_is_taken_back_before_it_was_sent_sends_nothing():
    client = Conversation(plan("catalog", 1))
    client.settle(EDS, "catalog")
    client.publish(plan("catalog", 1, 2))
    client.publish(plan("catalog", 1))
    assert client.quiet()


def test_assignments_and_routes_hold_only_what_changed():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    for type_ in (EDS, RDS):
        client.settle(type_, "catalog", "orders")
    client.publish(plan("orders", 3, retried=["/a/b"]))
    assert names(client.take()) == ["orders"]
    assert names(client.take()) == ["orders"]


def test_listeners_and_clusters_always_hold_everything_that_is_followed():
    for type_ in (LDS, CDS):
        client = Conversation(plan("catalog", 1), plan("orders", 2))
        client.settle(type_, "catalog")
        client.ask(type_, "catalog", "orders", nonce="1", version="boot-1")
        assert names(client.take()) == ["catalog", "orders"]


def test_a_changed_cluster_comes_with_all_others_that_are_followed():
    client = Conversation(plan("catalog", 1), plan("orders", 2), plan("tax", 3))
    client.settle(CDS, "catalog", "orders")
    client.publish(slower(plan("orders", 2), 1))
    assert names(client.take()) == ["catalog", "orders"]
    assert client.quiet()


def test_a_newly_named_resource_is_sent_though_it_did_not_change():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    first = client.settle(EDS, "catalog")
    client.accept(first, "catalog", "orders")
    assert names(client.take()) == ["orders"]


def test_a_larger_list_is_answered_though_the_old_one_was_a_part_of_it():
    """go-control-plane #426: a check for supersets withheld the answer."""
    client = Conversation(plan("a", 1), plan("b", 2), plan("c", 3))
    first = client.settle(CDS, "a", "b")
    client.accept(first, "a", "b", "c")
    assert names(client.take()) == ["a", "b", "c"]


def test_leaving_a_name_out_sends_nothing():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    for type_ in (EDS, LDS):
        response = client.settle(type_, "catalog", "orders")
        client.accept(response, "catalog")
    assert client.quiet()


def test_a_name_that_was_left_out_gets_no_more_changes():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    response = client.settle(EDS, "catalog", "orders")
    client.accept(response, "catalog")
    client.publish(plan("orders", 3))
    assert client.quiet()


def test_a_name_that_is_asked_for_again_is_sent_again():
    """go-control-plane #431, #583, #585, #608, #1293."""
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    response = client.settle(EDS, "catalog", "orders")
    client.accept(response, "catalog")
    client.accept(response, "catalog", "orders")
    assert names(client.take()) == ["orders"]


def test_a_listener_or_cluster_that_is_asked_for_again_comes_with_all_others():
    for type_ in (LDS, CDS):
        client = Conversation(plan("catalog", 1), plan("orders", 2))
        response = client.settle(type_, "catalog", "orders")
        client.accept(response, "catalog")
        client.accept(response, "catalog", "orders")
        assert names(client.take()) == ["catalog", "orders"]
        assert client.quiet()


def test_a_cluster_that_was_left_out_is_in_no_later_response():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.accept(client.settle(CDS, "catalog", "orders"), "orders")
    client.publish(slower(plan("catalog", 1), 1), slower(plan("orders", 2), 1))
    assert names(client.take()) == ["orders"]


def test_sending_again_does_not_become_a_loop():
    """go-control-plane #1318, #1319: each acceptance was taken for a new subscription."""
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    response = client.settle(EDS, "catalog", "orders")
    client.accept(response, "catalog")
    client.accept(response, "catalog", "orders")
    client.accept(client.take(), "catalog", "orders")
    assert client.quiet()


def test_leaving_everything_out_sends_nothing_and_does_not_mean_everything():
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, CDS, RDS, EDS):
        client.accept(client.settle(type_, "catalog"))
    client.publish(plan("catalog", 2), plan("orders", 3))
    assert client.quiet()


def test_a_client_that_left_everything_out_can_come_back():
    """grpc-java #9632, #10632, wongnai/xds #11: an idle client unsubscribes and returns on the same stream."""
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, CDS, RDS, EDS):
        response = client.settle(type_, "catalog")
        client.accept(response)
        client.accept(response, "catalog")
        assert names(client.take()) == ["catalog"]
        assert client.quiet()


def test_a_client_that_comes_back_gets_what_there_is_then():
    client = Conversation(plan("catalog", 1))
    response = client.settle(EDS, "catalog")
    client.accept(response)
    client.publish(plan("catalog", 2))
    assert client.quiet()
    client.accept(response, "catalog")
    assert client.take().resources[0].addresses == {"127.0.0.1:2"}


def test_a_client_that_left_everything_out_before_it_answered_can_come_back():
    """grpc-java #11232, java-control-plane #339: the nonce after an unsubscription."""
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, CDS, RDS, EDS):
        client.ask(type_, "catalog")
        response = client.take()
        client.accept(response)
        client.ask(type_, "catalog", nonce=response.nonce, version=response.version)
        assert names(client.take()) == ["catalog"]


def test_an_old_nonce_is_ignored():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    first = client.settle(EDS, "catalog")
    client.publish(plan("catalog", 3))
    client.take()
    client.accept(first, "catalog", "orders")
    assert client.quiet()
    assert next(client.session.subscriptions).names == {"catalog"}


def test_an_old_nonce_is_ignored_after_a_name_was_left_out():
    """go-control-plane: TestAggregatedHandlersDropStaleResponseAfterUnsubscribe."""
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    first = client.settle(EDS, "catalog", "orders")
    client.publish(plan("catalog", 3))
    second = client.take()
    client.accept(second, "orders")
    client.accept(first, "catalog", "orders")
    assert client.quiet()


def test_no_nonce_on_a_known_type_is_a_new_subscription():
    """xds.md 7.3 item 5: tonic-xds forgets a type and begins it again; called stale, it would hang for ever."""
    client = Conversation(plan("catalog", 1))
    client.settle(CDS, "catalog")
    client.ask(CDS, "catalog")
    assert names(client.take()) == ["catalog"]
    assert client.quiet()


def test_a_second_request_that_crosses_the_first_response_is_answered():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.ask(LDS, "catalog")
    first = client.take()
    client.ask(LDS, "catalog", "orders")
    assert names(client.take()) == ["catalog", "orders"]
    client.accept(first, "catalog")
    assert client.quiet()


def test_a_new_stream_with_the_last_version_is_sent_everything_again():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog", version="boot-1")
    assert names(client.take()) == ["catalog"]


def test_a_stream_may_begin_with_any_type_and_a_nonce_of_another_stream():
    """xds.md 7.3 item 10: Go began with EDS after a reconnect."""
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog", nonce="77", version="other-9")
    assert client.session.node is not None
    assert client.session.node.id == "client"
    assert names(client.take()) == ["catalog"]


def test_one_stream_follows_several_services_and_types():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    for type_ in (LDS, RDS, CDS, EDS):
        assert names(client.settle(type_, "catalog", "orders")) == ["catalog", "orders"]
    assert client.quiet()


def test_clusters_go_before_assignments_and_those_before_listeners_and_routes():
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, RDS, CDS, EDS):
        client.ask(type_, "catalog")
    assert [client.take().type for _ in range(4)] == [CDS, EDS, LDS, RDS]
    assert client.quiet()


def test_no_names_at_first_means_everything_for_listeners_and_clusters():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    for type_ in (LDS, CDS):
        assert names(client.settle(type_)) == ["catalog", "orders"]
    client.publish(plan("tax", 3))
    assert names(client.take()) == ["catalog", "orders", "tax"]


def test_no_names_at_first_means_nothing_for_routes_and_assignments():
    client = Conversation(plan("catalog", 1))
    for type_ in (RDS, EDS):
        client.ask(type_)
    assert client.quiet()


def test_the_star_means_everything_also_after_names():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    response = client.settle(CDS, "catalog")
    client.accept(response, "*")
    assert names(client.take()) == ["catalog", "orders"]


def test_names_after_everything_mean_only_those():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.accept(client.settle(CDS), "catalog")
    client.publish(plan("tax", 3))
    assert client.quiet()


def test_a_name_beside_the_star_that_is_asked_for_again_is_sent_again():
    client = Conversation(plan("catalog", 1))
    response = client.settle(CDS, "*", "later")
    client.accept(response, "*")
    client.accept(response, "*", "later")
    assert names(client.take()) == ["catalog", "later"]
    assert client.quiet()


def test_a_name_beside_the_star_that_a_change_left_out_is_sent_again():
    client = Conversation(plan("catalog", 1))
    client.accept(client.settle(CDS, "*", "later"), "*")
    client.publish(plan("tax", 3))
    response = client.take()
    assert names(response) == ["catalog", "tax"]
    client.accept(response, "*", "later")
    assert names(client.take()) == ["catalog", "later", "tax"]


def test_a_name_beside_the_star_that_requests_left_out_too_late_is_sent_again():
    client = Conversation(plan("catalog", 1))
    first = client.settle(CDS, "*", "later")
    client.publish(plan("tax", 3))
    crossing = client.take()
    client.accept(first, "*")
    client.accept(crossing, "*", "later")
    assert names(client.take()) == ["catalog", "later", "tax"]


def test_everything_is_answered_even_if_there_is_nothing():
    client = Conversation()
    client.ask(CDS)
    response = client.take()
    assert names(response) == []
    client.accept(response)
    assert client.quiet()


def test_a_refused_resource_is_not_sent_again_until_it_changes():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    client.refuse(client.take(), "catalog")
    assert client.quiet()
    client.publish(plan("catalog", 2))
    assert client.take().resources[0].addresses == {"127.0.0.1:2"}


def test_a_refusal_says_whether_it_was_given_before():
    client = Conversation(plan("catalog", 1))
    client.ask(LDS, "catalog")
    response = client.take()
    first = client.refuse(response, "catalog", reason="no filters")
    again = client.refuse(response, "catalog", reason="no filters")
    assert first == (Type.LISTENER, "no filters", False)
    assert again == (Type.LISTENER, "no filters", True)
    assert [(s.refusal, s.refusals) for s in client.session.subscriptions] == [("no filters", 2)]


def test_a_refusal_is_an_error_and_not_an_old_version():
    """C-core gives the new version when it refused a part of a response."""
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    response = client.take()
    refusal = client.ask(EDS, "catalog", nonce=response.nonce, version=response.version, error="one of two")
    assert refusal is not None
    assert next(client.session.subscriptions).accepted_version == ""


def test_an_acceptance_ends_a_refusal_and_the_count_stays():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    client.refuse(client.take(), "catalog")
    client.publish(plan("catalog", 2))
    client.accept(client.take(), "catalog")
    subscription = next(client.session.subscriptions)
    assert (subscription.refusal, subscription.refusals) == ("", 1)
    assert subscription.accepted_version == subscription.sent_version == "boot-2"


def test_accepting_another_assignment_does_not_end_a_refusal():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    client.settle(EDS, "catalog", "orders")
    client.publish(plan("catalog", 3))
    client.refuse(client.take(), "catalog", "orders", reason="bad catalog")
    client.publish(plan("orders", 4))
    client.accept(client.take(), "catalog", "orders")
    assert next(client.session.subscriptions).refusal == "bad catalog"


def test_an_unknown_name_is_answered_with_resources_that_refuse():
    client = Conversation()
    for type_ in (LDS, RDS, CDS):
        assert names(client.settle(type_, "later")) == ["later"]
    client.ask(EDS, "later")
    assert b"127.0.0.1" in client.take().encode()


def test_a_name_that_no_resource_can_have_is_passed_over():
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, EDS):
        assert names(client.settle(type_, "", "catalog")) == ["catalog"]
    for type_ in (CDS, RDS):
        client.ask(type_, "")
    assert client.quiet()


def test_a_service_that_appears_changes_only_the_assignment():
    client = Conversation()
    for type_ in (LDS, RDS, CDS, EDS):
        client.settle(type_, "later")
    client.publish(plan("later", 7))
    response = client.take()
    assert response.type is EDS
    assert response.resources[0].addresses == {"127.0.0.1:7"}
    assert client.quiet()


def test_a_service_that_loses_its_instances_stays_and_refuses():
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, RDS, CDS, EDS):
        client.settle(type_, "catalog")
    client.publish(plan("catalog"))
    response = client.take()
    assert (response.type, names(response)) == (EDS, ["catalog"])
    assert client.quiet()


def test_a_name_that_no_plan_has_any_more_stays_as_it_was():
    """go-control-plane #540; and a deleted listener breaks Node for good."""
    client = Conversation(plan("catalog", 1))
    for type_ in (LDS, RDS, CDS, EDS):
        client.settle(type_, "catalog")
    client.publish()
    assert client.quiet()


def test_a_type_that_is_not_served_is_ignored():
    client = Conversation(plan("catalog", 1))
    client.session.receive(DiscoveryRequest(type_url="type.googleapis.com/x.Secret", resource_names=["catalog"]))
    assert client.quiet()
    assert list(client.session.subscriptions) == []


def test_a_client_has_left_an_instance_when_it_accepted_an_assignment_without_it():
    client = Conversation(plan("catalog", 1, 2))
    client.settle(EDS, "catalog")
    assert not client.session.has_left("catalog", "127.0.0.1:1")
    client.publish(plan("catalog", 2))
    response = client.take()
    assert not client.session.has_left("catalog", "127.0.0.1:1")
    client.accept(response, "catalog")
    assert client.session.has_left("catalog", "127.0.0.1:1")


def test_a_client_that_refused_the_assignment_has_not_left():
    client = Conversation(plan("catalog", 1, 2))
    client.settle(EDS, "catalog")
    client.publish(plan("catalog", 2))
    client.refuse(client.take(), "catalog")
    assert not client.session.has_left("catalog", "127.0.0.1:1")


def test_a_client_that_has_not_answered_an_older_assignment_with_the_instance_has_not_left():
    client = Conversation(plan("catalog", 2))
    client.settle(EDS, "catalog")
    client.publish(plan("catalog", 1, 2))
    client.take()
    client.publish(plan("catalog", 2))
    response = client.take()
    assert not client.session.has_left("catalog", "127.0.0.1:1")
    client.accept(response, "catalog")
    assert client.session.has_left("catalog", "127.0.0.1:1")


def test_an_acceptance_that_crosses_a_newer_assignment_counts_for_what_it_accepts():
    client = Conversation(plan("catalog", 1, 2))
    client.settle(EDS, "catalog", "orders")
    client.publish(plan("catalog", 2))
    without = client.take()
    client.publish(plan("orders", 3))
    client.take()
    client.accept(without, "catalog", "orders")
    assert client.session.has_left("catalog", "127.0.0.1:1")


def test_a_name_left_out_and_asked_for_again_in_requests_that_came_too_late_is_sent_again():
    """Both requests cross a response, so both are old; but the client has dropped the resource in between."""
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    first = client.settle(EDS, "catalog", "orders")
    client.publish(plan("orders", 3))
    crossing = client.take()
    client.accept(first, "orders")
    client.accept(first, "catalog", "orders")
    assert client.quiet()
    client.accept(crossing, "catalog", "orders")
    assert names(client.take()) == ["catalog"]
    assert client.quiet()


def test_an_old_nonce_does_not_have_everything_sent_again():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    first = client.settle(CDS)
    client.publish(plan("tax", 3))
    second = client.take()
    client.accept(first)
    client.accept(second)
    assert client.quiet()


def test_a_refusal_that_was_repeated_ends_with_an_acceptance_too():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    response = client.take()
    client.refuse(response, "catalog")
    client.refuse(response, "catalog")
    client.publish(plan("catalog", 2))
    client.accept(client.take(), "catalog")
    assert next(client.session.subscriptions).refusal == ""


def test_a_refusal_ends_when_what_was_refused_is_left_out():
    client = Conversation(plan("catalog", 1), plan("orders", 2))
    response = client.settle(EDS, "catalog", "orders")
    client.publish(plan("catalog", 3))
    response = client.take()
    client.refuse(response, "catalog", "orders")
    client.accept(response, "orders")
    assert next(client.session.subscriptions).refusal == ""


def test_a_client_that_begins_a_type_again_has_not_left_until_it_accepts_again():
    client = Conversation(plan("catalog", 2))
    client.settle(EDS, "catalog")
    assert client.session.has_left("catalog", "127.0.0.1:1")
    client.ask(EDS, "catalog")
    assert not client.session.has_left("catalog", "127.0.0.1:1")
    client.accept(client.take(), "catalog")
    assert client.session.has_left("catalog", "127.0.0.1:1")


def test_a_name_longer_than_any_service_has_is_not_followed():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog", "x" * 256)
    assert names(client.take()) == ["catalog"]
    assert not client.session.follows(EDS, "x" * 256)
    client.ask(CDS, "x" * 256)
    assert client.quiet()


def test_a_long_reason_is_cut():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog")
    refusal = client.refuse(client.take(), "catalog", reason="r" * 100_000)
    assert refusal.reason == "r" * 4000


def test_what_new_names_are_told_can_be_found_before_it_is_sent():
    client = Conversation(plan("catalog", 1))
    client.ask(EDS, "catalog", "nobody")
    found = list(client.session.new())
    assert sorted(resource.name for resource in found) == ["catalog", "nobody"]
    assert set(client.take().resources) == set(found)
    assert not list(client.session.new())
