"""Asks the control plane of the running stack what it knows."""

from collections.abc import Callable, Iterator
from typing import Any

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
            pages = _pages(MeshServiceStub(channel).ListServices, pb.ListServicesRequest())
            return [service for page in pages for service in page.services]
        except grpc.RpcError as error:
            raise Problem(
                f"the control plane at {control} does not answer ({error.code().name}); see: gossamer ps"
            ) from error


def _pages(call: Callable[..., Any], request: Any) -> Iterator[Any]:
    """Give every page of a list."""
    while True:
        page = call(request, timeout=ANSWERS_WITHIN_S)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


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
            pages = _pages(stub.ListClients, pb.ListClientsRequest())
            clients = [client for page in pages for client in page.clients]
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
