"""Asks the control plane of the running stack what it knows."""

import grpc

from gossamer.mesh.v1 import mesh_pb2 as pb
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer_mesh.errors import Problem

ANSWERS_WITHIN_S = 3.0


def services(control: str) -> list[pb.Service]:
    """List the services of the mesh.

    Raises:
        Problem: the control plane does not answer.
    """
    with grpc.insecure_channel(control) as channel:
        try:
            answer = MeshServiceStub(channel).ListServices(pb.ListServicesRequest(), timeout=ANSWERS_WITHIN_S)
        except grpc.RpcError as error:
            raise Problem(
                f"the control plane at {control} does not answer ({error.code().name}); see: gossamer ps"
            ) from error
        return list(answer.services)


def health(control: str) -> dict[str, str]:
    """Give the health of every instance by its id, as one word; empty when the control plane does not answer."""
    try:
        known = services(control)
    except Problem:
        return {}
    return {
        instance.id: pb.InstanceHealth.Name(instance.health).removeprefix("INSTANCE_HEALTH_").lower()
        for service in known
        for instance in service.instances
    }


def trouble(control: str) -> list[str]:
    """Say what is wrong in a line each: a stale snapshot, held removals, clients that refuse. None if all is well."""
    try:
        with grpc.insecure_channel(control) as channel:
            stub = MeshServiceStub(channel)
            status = stub.GetStatus(pb.GetStatusRequest(), timeout=ANSWERS_WITHIN_S)
            clients = stub.ListClients(pb.ListClientsRequest(), timeout=ANSWERS_WITHIN_S).clients
    except grpc.RpcError as error:
        return [f"the control plane at {control} does not answer ({error.code().name})"]
    lines = []
    if status.source_error:
        lines.append(f"{status.source} is silent for {status.age.ToSeconds()} s: {status.source_error}")
    lines += [
        f"{held.service}: {held.instances_before - held.instances_after} instances vanished at once;"
        " waiting for a second look"
        for held in status.held_removals
    ]
    lines += [
        f"{client.node_id} ({client.user_agent}) refuses {pb.ResourceType.Name(each.type)}: {each.refusal}"
        for client in clients
        for each in client.subscriptions
        if each.refusal
    ]
    return lines
