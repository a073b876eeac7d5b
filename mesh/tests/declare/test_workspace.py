"""What a checkout declares is read as a whole, and everything that is wrong is named at once with file and line."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto

from gossamer_mesh.declare import DeclarationProblem, find_root, load
from gossamer_mesh.errors import ConfigurationProblem

KIT = """\
language: go
tools: [{name: go, check: [go, version], minimum: "1.26", hint: install it}]
sources: ["services/{service}/**/*"]
build: [go, build, -o, "{output}"]
run: ["{output}"]
"""

CATALOG = """\
name: catalog
summary: What the shop sells.
language: go
contracts: [shop.catalog.v1.CatalogService]
"""

ORDERS = """\
name: orders
summary: What was bought.
language: go
contracts: [shop.orders.v1.OrdersService]
calls: [catalog]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GOSSAMER_PORT_OFFSET", "GOSSAMER_STATE", "CONSUL_HTTP_ADDR"):
        monkeypatch.delenv(name, raising=False)
    image = FileDescriptorSet(
        file=[
            FileDescriptorProto(package="shop.catalog.v1", service=[ServiceDescriptorProto(name="CatalogService")]),
            FileDescriptorProto(package="shop.orders.v1", service=[ServiceDescriptorProto(name="OrdersService")]),
        ]
    )
    (tmp_path / "gen").mkdir()
    (tmp_path / "gen" / "contracts.binpb").write_bytes(image.SerializeToString())
    write(tmp_path, "gossamer.yaml", "name: shop\n")
    write(tmp_path, "kits/go/kit.yaml", KIT)
    write(tmp_path, "services/catalog/service.yaml", CATALOG)
    write(tmp_path, "services/orders/service.yaml", ORDERS)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def mistakes(root: Path) -> list[str]:
    with pytest.raises(DeclarationProblem) as caught:
        load(root)
    assert caught.value.status == 64
    return str(caught.value).splitlines()


def test_a_good_checkout_is_read(root: Path) -> None:
    workspace = load(root)
    assert list(workspace.services) == ["catalog", "orders"]
    assert workspace.services["orders"].calls == ("catalog",)
    assert workspace.services["catalog"].replicas == 1
    assert workspace.kits["go"].tools[0].minimum == "1.26"


def test_an_unknown_key_names_the_one_that_was_meant(root: Path) -> None:
    write(root, "services/catalog/service.yaml", CATALOG + "replica: 2\n")
    assert mistakes(root) == ["services/catalog/service.yaml:5: unknown key 'replica'; did you mean 'replicas'?"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("replicas: many", "'replicas' must be a whole number from 0 to 50, found 'many'"),
        ("replicas: true", "'replicas' must be a whole number from 0 to 50, found True"),
        ("replicas: -1", "'replicas' must be a whole number from 0 to 50, found -1"),
        ("edge: 1", "'edge' must be true or false, found 1"),
        ("calls: orders", "'calls' must be a list of texts such as [a, b], found 'orders'"),
        ("stores: [mongodb]", "unknown store 'mongodb'; known stores: postgres, valkey"),
        ("stores: [postgres, postgres]", "'postgres' stands in 'stores' twice"),
        ("try: [{method: 1}]", "each of 'try' must hold method and json as texts, found {'method': 1}"),
        ("try: 5", "'try' must be a list, found 5"),
        ("calls: [inventory]", "unknown service 'inventory'; known: catalog, orders"),
    ],
)
def test_a_wrong_value_says_what_was_expected(root: Path, line: str, message: str) -> None:
    write(root, "services/catalog/service.yaml", f"{CATALOG}{line}\n")
    assert mistakes(root) == [f"services/catalog/service.yaml:5: {message}"]


def test_a_contract_that_does_not_exist_is_refused(root: Path) -> None:
    write(root, "services/catalog/service.yaml", CATALOG.replace("CatalogService", "CatalogServise"))
    message = "no contract 'shop.catalog.v1.CatalogServise' in protos/; if it is new, run: make protos"
    assert mistakes(root) == [f"services/catalog/service.yaml:4: {message}"]


def test_a_missing_contract_is_refused(root: Path) -> None:
    write(root, "services/catalog/service.yaml", CATALOG.replace("contracts: [shop.catalog.v1.CatalogService]\n", ""))
    (line,) = mistakes(root)
    assert "'contracts' must name at least one" in line


def test_a_contract_is_served_by_one_service_only(root: Path) -> None:
    write(
        root,
        "services/orders/service.yaml",
        ORDERS.replace("shop.orders.v1.OrdersService", "shop.catalog.v1.CatalogService"),
    )
    assert mistakes(root) == [
        "services/orders/service.yaml:4: 'shop.catalog.v1.CatalogService' is served by 'catalog' already"
    ]


def test_a_name_that_is_taken_or_not_the_folders_is_refused(root: Path) -> None:
    write(root, "services/orders/service.yaml", ORDERS.replace("name: orders", "name: catalog"))
    assert mistakes(root) == [
        "services/orders/service.yaml:1: 'name' must be the folder's name 'orders', found 'catalog'"
    ]


def test_services_may_not_call_each_other_in_a_circle(root: Path) -> None:
    write(root, "services/catalog/service.yaml", CATALOG + "calls: [orders]\n")
    message = "services may not call each other in a circle: catalog -> orders -> catalog"
    assert mistakes(root) == [f"services/catalog/service.yaml:5: {message}"]


def test_all_mistakes_of_all_files_are_named_at_once(root: Path) -> None:
    write(root, "gossamer.yaml", "nam: shop\nports: {consul: no}\n")
    write(root, "services/catalog/service.yaml", CATALOG + "edge: maybe\nreplicas: 99\n")
    write(root, "services/orders/service.yaml", "- a list\n")
    lines = mistakes(root)
    assert [line.split(":")[0] for line in lines[:2]] == ["gossamer.yaml"] * 2
    assert sum(line.startswith("services/catalog") for line in lines) == 2
    assert "services/orders/service.yaml:1: must hold keys and values, found something else" in lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [catalog\n", "services/catalog/service.yaml:2: is not YAML"),
        (CATALOG + "edge: true\nedge: false\n", "services/catalog/service.yaml:6: 'edge' stands here twice"),
        ("", "services/catalog/service.yaml:1: 'name' is missing"),
        ("name: catalog\nsummary: 2024-99-99\n", "services/catalog/service.yaml:2: holds what can't be read: month"),
    ],
)
def test_a_broken_file_is_named_with_its_line(root: Path, text: str, line: str) -> None:
    write(root, "services/catalog/service.yaml", text)
    assert any(each.startswith(line) for each in mistakes(root))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('tools: [{name: go, check: [go, version], minimum: "1.26", hint: install it}]', "tools: 5",
         "2: 'tools' must be a list, found 5"),
        ('"1.26"', '"1.x"', "2: 'minimum' of 'go' must be a version such as \"1.26\", found '1.x'"),
        ("[go, version]", "[1]", "2: 'check' of 'go' must be a command such as [go, version], found [1]"),
        ("[go, version]", "[]", "2: 'check' of 'go' must be a command such as [go, version], found []"),
        ("[go, version]", '["{output}"]', "2: unknown placeholder '{output}' in '{output}'; known: {python}"),
    ],
)  # fmt: skip
def test_a_tool_that_could_not_be_looked_for_is_refused(root: Path, old: str, new: str, message: str) -> None:
    write(root, "kits/go/kit.yaml", KIT.replace(old, new))
    assert mistakes(root) == [f"kits/go/kit.yaml:{message}"]


@pytest.mark.parametrize(
    ("command", "placeholder"), [("{outptu}", "{outptu}"), ("{}", "{}"), ("{output", "{"), ("{output!r}", "{output!r}")]
)
def test_a_placeholder_that_nothing_is_put_into_is_refused(root: Path, command: str, placeholder: str) -> None:
    write(root, "kits/go/kit.yaml", KIT.replace('run: ["{output}"]', f'run: ["{command}"]'))
    known = "known: {module}, {output}, {python}, {root}, {service}"
    assert mistakes(root) == [f"kits/go/kit.yaml:5: unknown placeholder {placeholder!r} in {command!r}; {known}"]


def test_braces_that_are_doubled_are_no_placeholder(root: Path) -> None:
    write(root, "kits/go/kit.yaml", KIT + 'env: {LIMITS: "{{}}"}\n')
    assert load(root).kits["go"].env == {"LIMITS": "{{}}"}


def test_two_ports_with_the_same_number_are_refused(root: Path) -> None:
    write(root, "gossamer.yaml", "ports: {control: 8500}\n")
    assert mistakes(root) == ["gossamer.yaml:1: each port must be another, found 8500 for 'consul' and 'control'"]


def test_consul_has_room_for_its_other_ports(root: Path) -> None:
    write(root, "gossamer.yaml", "ports: {consul: 200}\n")
    assert mistakes(root) == ["gossamer.yaml:1: port 'consul' must be from 201 to 65535, found 200"]


def test_ports_move_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOSSAMER_PORT_OFFSET", "100")
    write(root, "gossamer.yaml", "ports: {consul: 9500}\n")
    ports = load(root).settings.ports
    assert (ports["consul"], ports["control"], ports["instances"]) == (9600, 18100, 20100)


@pytest.mark.parametrize("offset", ["ten", "1.5", "60000"])
def test_an_offset_that_does_not_fit_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    monkeypatch.setenv("GOSSAMER_PORT_OFFSET", offset)
    assert {line.partition(":")[0] for line in mistakes(root)} == {"GOSSAMER_PORT_OFFSET"}


def test_every_bad_variable_is_named_beside_what_is_wrong_in_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOSSAMER_PORT_OFFSET", "ten")
    monkeypatch.setenv("GOSSAMER_STATE", "gossamer.yaml")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "localhost:eighty")
    write(root, "gossamer.yaml", "nam: shop\n")
    assert mistakes(root) == [
        "CONSUL_HTTP_ADDR: must be host:port or http://host:port, found 'localhost:eighty'",
        "GOSSAMER_PORT_OFFSET: must be a number or 'free', found 'ten'",
        f"GOSSAMER_STATE: must be a folder, found a file at {root / 'gossamer.yaml'}",
        "gossamer.yaml:1: unknown key 'nam'; did you mean 'name'?",
    ]


def test_the_root_is_found_from_a_folder_inside(root: Path) -> None:
    assert find_root(root / "services" / "catalog") == root


def test_outside_a_checkout_there_is_no_root(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationProblem, match=r"no gossamer\.yaml in"):
        find_root(tmp_path / "elsewhere")
