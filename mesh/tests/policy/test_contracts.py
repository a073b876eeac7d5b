"""Which methods may be repeated, as the contract image says it."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions

from gossamer_mesh.policy import Contracts, ContractsError

IMAGE = Path(__file__).parents[3] / "gen" / "contracts.binpb"


def image(**levels):
    files = FileDescriptorSet()
    service = files.file.add(package="shop.v1").service.add(name="Catalog")
    for name, level in levels.items():
        method = service.method.add(name=name)
        if level is not None:
            method.options.idempotency_level = level
    return files.SerializeToString()


def test_only_marked_methods_may_be_repeated():
    contracts = Contracts.parse(
        image(
            Get=MethodOptions.NO_SIDE_EFFECTS,
            Put=MethodOptions.IDEMPOTENT,
            Post=MethodOptions.IDEMPOTENCY_UNKNOWN,
            Pay=None,
        )
    )
    assert contracts.repeatable == {"shop.v1.Catalog": ("/shop.v1.Catalog/Get", "/shop.v1.Catalog/Put")}


def test_methods_without_a_stream_are_unary():
    files = FileDescriptorSet()
    service = files.file.add(package="shop.v1").service.add(name="Catalog")
    service.method.add(name="Get")
    service.method.add(name="Up", client_streaming=True)
    service.method.add(name="Down", server_streaming=True)
    service.method.add(name="Both", client_streaming=True, server_streaming=True)
    assert Contracts.parse(files.SerializeToString()).unary == {"shop.v1.Catalog": ("/shop.v1.Catalog/Get",)}


def test_the_projects_own_image():
    repeatable = Contracts.parse(IMAGE.read_bytes()).repeatable
    assert "/shop.catalog.v1.CatalogService/GetProduct" in repeatable["shop.catalog.v1.CatalogService"]
    assert "/gossamer.probe.v1.ProbeService/Wait" not in repeatable["gossamer.probe.v1.ProbeService"]


def test_an_image_that_is_none_is_refused_with_what_to_do():
    with pytest.raises(ContractsError, match=r"expected a FileDescriptorSet.*make protos"):
        Contracts.parse(b"not an image")
