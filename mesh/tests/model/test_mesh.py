"""What the model keeps in order, and what it remembers."""

from gossamer_mesh.model import Health, Instance, Mesh, Service


def instance(id_, **more):
    return Instance(id=id_, host="10.0.0.1", port=80, **more)


def test_a_service_has_its_instances_in_the_order_of_their_ids():
    service = Service.of("catalog", [instance("b"), instance("a")])
    assert [each.id for each in service.instances] == ["a", "b"]


def test_a_service_serves_what_any_of_its_instances_serves():
    service = Service.of("catalog", [instance("a", contracts=("x", "y")), instance("b", contracts=("y", "z"))])
    assert service.contracts == ("x", "y", "z")


def test_a_mesh_has_its_services_in_the_order_of_their_names():
    mesh = Mesh.of([Service.of("b", [instance("1")]), Service.of("a", [instance("2")])])
    assert [service.name for service in mesh.present] == ["a", "b"]


def test_meshes_of_equal_services_are_equal():
    services = [Service.of("b", [instance("1")]), Service.of("a", [instance("2")])]
    assert Mesh.of(services) == Mesh.of(reversed(services))


def test_a_service_that_is_gone_is_remembered_without_instances_and_with_its_contracts():
    before = Mesh.of([Service.of("catalog", [instance("a", contracts=("x",))])])
    now = Mesh.of([]).remembering(before)
    assert now.services["catalog"] == Service(name="catalog", contracts=("x",))
    assert now.present == ()


def test_a_service_that_is_listed_without_instances_keeps_its_contracts():
    before = Mesh.of([Service.of("catalog", [instance("a", contracts=("x",))])])
    assert Mesh.of([Service.of("catalog", [])]).remembering(before).services["catalog"].contracts == ("x",)


def test_a_service_that_came_back_is_as_it_is_now():
    gone = Mesh.of([]).remembering(Mesh.of([Service.of("catalog", [instance("a", contracts=("x",))])]))
    back = Service.of("catalog", [instance("b", contracts=("y",))])
    assert Mesh.of([back]).remembering(gone).services["catalog"] == back


def test_an_instance_is_found_by_service_and_id():
    mesh = Mesh.of([Service.of("catalog", [instance("a")])])
    assert mesh.find("catalog", "a") == instance("a")
    assert mesh.find("catalog", "b") is None
    assert mesh.find("orders", "a") is None


def test_passing_and_warning_instances_are_callable():
    callable_ = [health for health in Health if instance("a", health=health).callable]
    assert callable_ == [Health.PASSING, Health.WARNING]


def test_a_host_is_written_in_one_way_however_it_was_given():
    assert Instance(id="a", host="0:0::1", port=80) == Instance(id="a", host="::1", port=80)
    assert Instance(id="a", host="catalog.local", port=80).host == "catalog.local"


def test_an_ipv6_address_has_brackets():
    assert Instance(id="a", host="::1", port=80).address == "[::1]:80"
