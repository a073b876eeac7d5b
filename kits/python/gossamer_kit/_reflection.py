"""Server reflection, v1 and v1alpha. grpcio-reflection has only v1alpha (grpc #38576); clients ask for v1 first.

The two versions have the same messages, so one servicer answers under both names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRACTS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def handlers(contracts: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Make the handlers of both versions. They list the contracts that are given, and themselves."""
    servicer = ReflectionServicer([*contracts, *CONTRACTS])
    info = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": info}) for name in CONTRACTS]
