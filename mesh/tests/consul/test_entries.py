"""What Consul's health entries mean. The entries have the shape of `GET /v1/health/service/:name` of Consul 1.22."""

import pytest

from gossamer_mesh.consul.entries import names_of, service_of
from gossamer_mesh.model import Health, Instance


def check(status="passing", type_="grpc", id_="service:c1", output="", name="Service check"):
    return {"CheckID": id_, "Name": name, "Status": status, "Type": type_, "Output": output}


NODE = check(type_="", id_="serfHealth", name="Serf Health Status", output="Agent alive and reachable")


def entry(*checks, id_="c1", address="127.0.0.1", port=20000, **meta):
    return {
        "Node": {"Node": "n1", "Address": "10.1.1.1"},
        "Service": {"ID": id_, "Service": "catalog", "Address": address, "Port": port, "Meta": meta or None},
        "Checks": [NODE, *checks],
    }


def health(*checks):
    instance = service_of("catalog", [entry(*checks)]).instances[0]
    return instance.health, instance.health_output


def test_an_instance_is_what_its_registration_says():
    found = service_of(
        "catalog",
        [entry(check(), version="v1", zone="a", language="go", contracts="shop.Catalog, shop.Admin")],
    )
    assert found.instances == (
        Instance(
            id="c1",
            host="127.0.0.1",
            port=20000,
            version="v1",
            zone="a",
            language="go",
            contracts=("shop.Admin", "shop.Catalog"),
        ),
    )


def test_an_instance_without_address_has_its_nodes():
    assert service_of("catalog", [entry(check(), address="")]).instances[0].host == "10.1.1.1"


def test_a_service_without_grpc_checks_is_no_part_of_the_mesh():
    assert service_of("web", [entry(check(type_="http"))]) is None
    assert service_of("web", [entry()]) is None
    assert service_of("web", []) is None


def test_an_instance_without_grpc_check_is_no_part_of_its_service():
    found = service_of("catalog", [entry(check()), entry(check(type_="http"), id_="c2")])
    assert [instance.id for instance in found.instances] == ["c1"]


def test_a_service_whose_grpc_checks_all_fail_is_part_of_the_mesh():
    assert service_of("catalog", [entry(check("critical"))]).instances[0].health is Health.CRITICAL


@pytest.mark.parametrize(
    ("status", "health_"),
    [("passing", Health.PASSING), ("warning", Health.WARNING), ("critical", Health.CRITICAL)],
)
def test_the_health_is_that_of_the_checks(status, health_):
    assert health(check(status))[0] is health_


def test_the_worst_check_counts():
    assert health(check("warning"), check("critical", type_="ttl"))[0] is Health.CRITICAL


def test_only_checks_that_do_not_pass_are_quoted():
    assert health(check(output="fine"))[1] == ""
    assert health(check("critical", output="connection refused"))[1] == "connection refused"
    assert health(check("critical", name="Alive"), check("warning", output="slow"))[1] == "Alive; slow"


@pytest.mark.parametrize("id_", ["_service_maintenance:c1", "_node_maintenance"])
def test_maintenance_of_the_instance_or_its_node_counts_before_all_else(id_):
    assert health(check("critical"), check("critical", type_="maintenance", id_=id_))[0] is Health.MAINTENANCE


def test_a_critical_node_makes_its_instances_critical():
    lost = {**entry(check()), "Checks": [check("critical", type_="", id_="serfHealth"), check()]}
    assert service_of("catalog", [lost]).instances[0].health is Health.CRITICAL


def test_consul_itself_and_names_that_a_path_cannot_have_are_not_asked_for():
    assert names_of({"consul": [], "catalog": [], "a/b": [], "..": [], "a/../b": [], "": []}) == {"catalog", "a/b"}
