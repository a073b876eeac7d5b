"""A mesh from a file: what it may say, what is refused with its place, and that a change is read."""

import asyncio

import pytest

from gossamer_mesh.discovery import FileSource, SourceError
from gossamer_mesh.discovery.file import parse
from gossamer_mesh.model import Entries, Health, Instance, Mesh, Service

GOOD = """
services:
  catalog:
    - {id: c2, address: "127.0.0.1:20001", health: critical, version: v2, zone: b, language: go, weight: 3}
    - {id: c1, address: "[::1]:20000", contracts: [shop.catalog.v1.CatalogService]}
"""


def test_a_file_is_read():
    assert parse(GOOD, "mesh.yaml") == Mesh.of(
        [
            Service.of(
                "catalog",
                [
                    Instance(id="c1", host="::1", port=20000, contracts=("shop.catalog.v1.CatalogService",)),
                    Instance(
                        id="c2",
                        host="127.0.0.1",
                        port=20001,
                        health=Health.CRITICAL,
                        version="v2",
                        zone="b",
                        language="go",
                        weight=3,
                    ),
                ],
            )
        ]
    )


def test_json_is_read_too():
    assert parse('{"services": {"tax": [{"id": "t", "address": "127.0.0.1:1"}]}}', "mesh.json").services["tax"]


@pytest.mark.parametrize("version", ["2024-02-30", "1.10", "0o17", "null"])
def test_text_is_text_whatever_yaml_might_make_of_it(version):
    text = f"services: {{catalog: [{{id: a, address: '127.0.0.1:1', version: {version}}}]}}"
    assert parse(text, "mesh.yaml").services["catalog"].instances[0].version == version


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services: [", "expected YAML or JSON in mesh.yaml"),
        ("[" * 100_000, "expected YAML or JSON in mesh.yaml"),
        ("services: {? [1] : 1}", "expected YAML or JSON in mesh.yaml"),
        ("[]", "expected a mapping `services` in mesh.yaml"),
        ("services: {catalog: 1}", "a list of instances at mesh.yaml: services.catalog"),
        ("services: {catalog: [1]}", r"at mesh.yaml: services.catalog\[0\], found str"),
        ("services: {catalog: [{id: a}]}", r"expected id, address .* services.catalog\[0\]"),
        ("services: {catalog: [{id: a, address: '127.0.0.1:1', color: red}]}", "color"),
        ("services: {catalog: [{id: a, address: localhost}]}", "found 'localhost'"),
        ("services: {catalog: [{id: a, address: '127.0.0.1:http'}]}", "found '127.0.0.1:http'"),
        ("services: {catalog: [{id: a, address: '127.0.0.1:1', health: fine}]}", "expected one of .*'passing'"),
        ("services: {catalog: [{id: a, address: '127.0.0.1:1', contracts: x}]}", "expected a list .*contracts"),
        ("services: {catalog: [{id: a, address: '127.0.0.1:1', weight: 0}]}", "1 or more, at .*weight, found '0'"),
        ("services: {}\nchain: {}", r"only chains, defaults, extras, selected in mesh.yaml, found \['chain'\]"),
        ("services: {}\nchains: []", "expected a mapping at mesh.yaml: chains, found list"),
        ("services: {}\nchains: {catalog: grpc}", "expected a mapping at mesh.yaml: chains.catalog, found str"),
        ("services: {}\ndefaults: {catalog: 1}", "expected a mapping at mesh.yaml: defaults.catalog, found int"),
        ("services: {}\nextras: []", "expected a mapping at mesh.yaml: extras, found list"),
        ("services: {}\nselected: {}", "expected a list at mesh.yaml: selected, found dict"),
        ("services: {}\nselected: [{service: a, filter: f}]", r"service, filter and a list ids at .*selected\[0\]"),
        ("services: {}\nselected: [{service: a, filter: f, ids: x}]", r"a list ids at .*selected\[0\]"),
        (
            "services: {}\nselected: [{service: a, filter: f, ids: []}, {service: a, filter: f, ids: []}]",
            r"once at mesh.yaml: selected, found 'f' again at mesh.yaml: selected\[1\]",
        ),
        (
            "services: {catalog: [{id: a, address: '127.0.0.1:1'}, {id: a, address: '127.0.0.1:2'}]}",
            "expected each id once",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text, place):
    with pytest.raises(SourceError, match=place):
        parse(text, "mesh.yaml")


WRITTEN = """
services: {}
chains:
  catalog:
    Protocol: grpc
    Nodes: {"splitter:catalog": {Splits: [{Weight: 12.5, Definition: {ServiceSubset: "1.10"}}]}}
    Default: false
    AutoVirtualIPs: null
selected:
  - {service: catalog, filter: Service.Meta.version == v2, ids: [c1, 1.10]}
defaults: {catalog: {Limits: {MaxConcurrentRequests: 7}}}
extras:
  faults/catalog: {abort: {percent: 10}}
  broken: "{"
"""


def test_what_is_written_about_traffic_is_read_with_its_numbers():
    splits = [{"Weight": 12.5, "Definition": {"ServiceSubset": "1.10"}}]
    assert parse(WRITTEN, "mesh.yaml").entries == Entries(
        chains={
            "catalog": {
                "Protocol": "grpc",
                "Nodes": {"splitter:catalog": {"Splits": splits}},
                "Default": False,
                "AutoVirtualIPs": None,
            }
        },
        selected={("catalog", "Service.Meta.version == v2"): frozenset({"c1", "1.10"})},
        defaults={"catalog": {"Limits": {"MaxConcurrentRequests": 7}}},
        extras={"faults/catalog": '{"abort": {"percent": 10}}', "broken": "{"},
    )


def test_what_is_written_about_traffic_is_read_from_json_too():
    text = '{"services": {}, "chains": {"tax": {"Protocol": "grpc"}}, "extras": {"a": "{}"}}'
    assert parse(text, "mesh.json").entries == Entries(chains={"tax": {"Protocol": "grpc"}}, extras={"a": "{}"})


class Told:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.events = asyncio.Queue()

    def heard(self):
        pass

    def read(self, mesh, *, restarted=False):
        del restarted
        self.events.put_nowait(mesh)

    def failed(self, reason):
        self.events.put_nowait(reason)

    async def next(self):
        async with asyncio.timeout(5):
            return await self.events.get()


async def test_a_change_of_the_file_is_read_and_a_bad_one_is_told(tmp_path):
    path, told = tmp_path / "mesh.yaml", Told()
    path.write_text(GOOD)
    task = asyncio.create_task(FileSource(path, every=0.01).watch(told))
    assert (await told.next()).services.keys() == {"catalog"}
    path.write_text("services: [")
    assert "expected YAML" in await told.next()
    replacement = tmp_path / "new"
    replacement.write_text("services: {tax: []}")
    replacement.replace(path)
    assert (await told.next()).services.keys() == {"tax"}
    path.unlink()
    assert "can't be read" in await told.next()
    task.cancel()


class LockedSource(FileSource):
    """A file that can't be opened for a while, and whose time and size don't change when that is over."""

    locked = False

    async def look(self):
        if self.locked:
            raise SourceError("locked") from PermissionError("locked")
        return await super().look()


async def test_a_file_that_could_not_be_opened_is_read_when_it_can(tmp_path):
    path, told = tmp_path / "mesh.yaml", Told()
    path.write_text(GOOD)
    source = LockedSource(path, every=0.01)
    source.locked = True
    task = asyncio.create_task(source.watch(told))
    assert await told.next() == "locked"
    source.locked = False
    assert (await told.next()).services.keys() == {"catalog"}
    task.cancel()


async def test_a_file_that_is_not_there_is_told_once_and_read_when_it_comes(tmp_path):
    path, told = tmp_path / "mesh.yaml", Told()
    task = asyncio.create_task(FileSource(path, every=0.01).watch(told))
    assert "can't be read" in await told.next()
    path.write_text(GOOD)
    assert (await told.next()).services.keys() == {"catalog"}
    task.cancel()
