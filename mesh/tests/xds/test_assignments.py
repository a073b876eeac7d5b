"""What the endpoints of a cluster look like as xDS: levels, zones and weights."""

from google.protobuf.json_format import MessageToDict

from gossamer_mesh.model import Balance, Cluster, Endpoint, Plan
from gossamer_mesh.xds import Dialect

from .conversation import EDS
from .reading import message, told


def at(port, zone="a", weight=1):
    return Endpoint(host="10.0.0.1", port=port, zone=zone, weight=weight)


def resource(*levels, dialect=Dialect.OTHER, **planned):
    plan = Plan(service="catalog", clusters=(Cluster(name="catalog", levels=levels, **planned),))
    return told(plan, dialect=dialect).get(EDS, "catalog")


def localities(*levels, **more):
    """Priority, zone, further name, weight, and the ports with their weights."""
    return [
        (
            x.priority,
            x.locality.zone,
            x.locality.sub_zone,
            x.load_balancing_weight.value,
            {m.endpoint.address.socket_address.port_value: m.load_balancing_weight.value for m in x.lb_endpoints},
        )
        for x in message(resource(*levels, **more)).endpoints
    ]


def test_a_zone_is_a_locality_that_weighs_what_its_endpoints_do():
    assert localities((at(1), at(2, "b"), at(3, "b"))) == [(0, "a", "", 1, {1: 0}), (0, "b", "", 2, {2: 0, 3: 0})]


def test_endpoints_of_differing_weights_are_in_localities_of_their_own():
    """xds.md 16c: under round robin the weights of endpoints are ignored."""
    assert localities((at(1), at(2, weight=3), at(3, weight=3))) == [
        (0, "a", "", 1, {1: 0}),
        (0, "a", "weight 3", 6, {2: 3, 3: 3}),
    ]


def test_levels_are_priorities_and_no_locality_is_in_two():
    assert localities((at(1), at(2, "b")), (at(3), at(4, weight=2))) == [
        (0, "a", "", 1, {1: 0}),
        (0, "b", "", 1, {2: 0}),
        (1, "a", "level 1", 1, {3: 0}),
        (1, "a", "level 1, weight 2", 2, {4: 2}),
    ]


def test_a_ring_has_one_locality_a_level_since_it_heeds_both_weights():
    assert localities((at(1, "b"), at(2, weight=3)), (at(3),), balance=Balance.RING_HASH) == [
        (0, "", "", 4, {1: 0, 2: 3}),
        (1, "", "level 1", 1, {3: 0}),
    ]


def test_rust_gets_the_first_level_only():
    """xds.md 7.2, scenario 7: it calls all levels at once."""
    assert localities((at(1),), (at(2),), dialect=Dialect.RUST) == [(0, "a", "", 1, {1: 0})]
    assert resource((at(1),), (at(2),), dialect=Dialect.RUST).addresses == {"10.0.0.1:1"}


def test_no_endpoints_become_one_that_refuses():
    """xds.md 7.3 item 2: after an empty assignment Java calls the dead, and Rust hangs."""
    (locality,) = message(resource()).endpoints
    (member,) = locality.lb_endpoints
    assert MessageToDict(member.endpoint.address) == {"socketAddress": {"address": "127.0.0.1", "portValue": 1}}
    assert locality.load_balancing_weight.value == 1


def test_the_addresses_are_those_of_all_levels_without_the_one_that_refuses():
    assert resource((at(1),), (at(2),)).addresses == {"10.0.0.1:1", "10.0.0.1:2"}
    assert resource().addresses == frozenset()
