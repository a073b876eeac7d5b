"""What consul/ holds is read with everything else that is declared, and what is wrong in it is named with its line."""

from pathlib import Path

import pytest

from gossamer_mesh.declare import entry


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def mistakes(root: Path) -> list[str]:
    return [str(mistake) for document, _ in entry.read(root) for mistake in document.mistakes]


def test_entries_and_values_have_names_and_bodies(tmp_path: Path) -> None:
    write(tmp_path, "consul/agent.hcl", "server = true")
    write(tmp_path, "consul/entries/a.json", '{"Kind": "service-router", "Name": "catalog", "Routes": [{}]}')
    write(tmp_path, "consul/gossamer/defaults.json", '{"zones": "prefer"}')
    write(tmp_path, "consul/gossamer/faults/catalog.json", "[]")
    found = [each for _, each in entry.read(tmp_path)]
    router = {"Kind": "service-router", "Name": "catalog", "Routes": [{}]}
    assert found == [
        entry.Entry(file="consul/entries/a.json", name="service-router/catalog", body=router),
        entry.Entry(file="consul/gossamer/defaults.json", name="gossamer/defaults", body={"zones": "prefer"}),
        entry.Entry(file="consul/gossamer/faults/catalog.json", name="gossamer/faults/catalog", body=[]),
    ]
    assert mistakes(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "text", "mistake"),
    [
        (
            "entries/a.json",
            '{\n "Kind": "service-rooter",\n "Name": "a"}',
            (
                "consul/entries/a.json:2: 'Kind' must be one of service-router, service-splitter, service-resolver, "
                "service-defaults, proxy-defaults, found 'service-rooter'"
            ),
        ),
        (
            "entries/a.json",
            '{"Kind": "service-router"}',
            "consul/entries/a.json:1: 'Name' is missing; write Name: followed by the name of a service",
        ),
        (
            "entries/a.hcl",
            "Kind: service-router\nName: a",
            "consul/entries/a.hcl:1: must be JSON, with a name that ends with .json",
        ),
        ("gossamer/defaults.json", "{\n oops", "consul/gossamer/defaults.json:2: is not JSON: "),
        ("gossamer/defaults", "{}", "consul/gossamer/defaults:1: must be JSON, with a name that ends with .json"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, file: str, text: str, mistake: str) -> None:
    write(tmp_path, f"consul/{file}", text)
    (found,) = mistakes(tmp_path)
    assert found.startswith(mistake)


def test_an_entry_stands_in_one_file(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path, f"consul/entries/{name}.json", '{"Kind": "service-router", "Name": "catalog"}')
    assert mistakes(tmp_path) == ["consul/entries/b.json:1: service-router/catalog is in consul/entries/a.json already"]
