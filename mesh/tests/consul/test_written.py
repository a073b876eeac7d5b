"""Which chains are worth asking for, and what they are compiled from. In the shapes of Consul 1.22."""

from gossamer_mesh.consul.written import EVERYBODY, KINDS, Written


def written(**kinds):
    """Entries as `router={"catalog": {...}}`: the kind without `service-`."""
    given = Written()
    for kind, entries in kinds.items():
        given.take(f"service-{kind}", listed(entries))
    return given


def listed(entries, index=7):
    return [{"Name": name, "ModifyIndex": index, **body} for name, body in entries.items()]


def reach(given, name):
    return given.reach(name) - {EVERYBODY}


def test_everything_is_known_when_every_kind_was_listed():
    given = Written()
    assert [given.complete for kind in KINDS if given.take(kind, []) == frozenset()] == [False] * 4 + [True]


def test_defaults_are_what_people_wrote_and_not_when():
    web = {"Kind": "service-defaults", "Protocol": "http", "Hash": 1, "CreateIndex": 2}
    expected = {"Kind": "service-defaults", "Name": "Web", "Protocol": "http"}
    assert written(defaults={"Web": web}).defaults == {"Web": expected}


def test_what_was_written_again_or_deleted_has_changed_and_nothing_else():
    given = written(resolver={"same": {}, "again": {}, "Deleted": {}})
    now = [*listed({"same": {}}), *listed({"again": {}}, 8), *listed({"New": {}}, 9)]
    assert given.take("service-resolver", now) == {"again", "deleted", "new"}
    assert given.take("service-resolver", now) == frozenset()


def test_a_change_for_everybody_is_one_of_what_every_chain_is_compiled_from():
    given = Written()
    assert given.take("proxy-defaults", listed({"global": {}})) == {EVERYBODY}
    assert given.take("proxy-defaults", listed({"global": {}})) == frozenset()
    assert EVERYBODY in given.reach("web")


def test_names_with_a_router_a_splitter_or_a_resolver_are_routed():
    given = written(router={"a": {}}, splitter={"b": {}}, resolver={"c": {}, "..": {}}, defaults={"d": {}})
    assert given.routed([]) == {"a", "b", "c"}


def test_a_service_is_routed_by_an_entry_of_its_name_in_another_case():
    assert written(resolver={"Catalog": {}}).routed(["catalog", "tax"]) == {"Catalog", "catalog"}


def test_a_chain_is_compiled_from_everything_its_name_leads_to():
    given = written(
        router={"a": {"Routes": [{"Destination": {"Service": "b"}}, {"Destination": None}]}},
        splitter={"b": {"Splits": [{"Weight": 90}, {"Weight": 10, "Service": "C"}]}},
        resolver={
            "c": {"Redirect": {"Service": "d"}},
            "d": {"Failover": {"*": {"Service": "e"}}},
            "e": {"Failover": {"*": {"Targets": [{"Service": "f"}, {"ServiceSubset": "v2"}]}}},
            "z": {"Redirect": {"Service": "a"}},
        },
    )
    assert reach(given, "a") == {"a", "b", "c", "d", "e", "f"}
    assert reach(given, "Z") == {"a", "b", "c", "d", "e", "f", "z"}
    assert reach(given, "f") == {"f"}


def test_names_that_lead_to_each_other_have_an_end():
    given = written(resolver={"a": {"Redirect": {"Service": "b"}}, "b": {"Redirect": {"Service": "a"}}})
    assert reach(given, "a") == {"a", "b"}


def test_the_entries_that_a_chain_is_compiled_from_are_named():
    given = written(router={"A": {}}, resolver={"a": {}, "c": {}}, defaults={"b": {}})
    given.take("proxy-defaults", listed({"global": {}}))
    named = ["service-router/A", "service-resolver/a", "service-defaults/b", "proxy-defaults/global"]
    assert given.sources(frozenset({"a", "b"})) == named
