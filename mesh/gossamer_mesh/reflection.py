"""Server reflection, v1 and v1alpha: grpcio-reflection has only v1alpha (grpc #38576), newer clients ask for v1 first.

The Python kit has the same; importing it would bring its telemetry along, which is as large as the control plane.
"""

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def handlers(*contracts: str) -> list[grpc.GenericRpcHandler]:
    """Make the handlers of both versions. They list these contracts, health and themselves."""
    servicer = ReflectionServicer([*contracts, health.SERVICE_NAME, *VERSIONS])
    info = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": info}) for name in VERSIONS]
