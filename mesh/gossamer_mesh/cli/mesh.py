"""Asks the control plane of the running stack what it knows."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from gossamer.mesh.v1 import mesh_pb2 as pb
from gossamer.mesh.v1 import traffic_pb2
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer_mesh.errors import Problem

ANSWERS_WITHIN_S = 3.0
MOST = 5  # lines about what is left out


def services(control: str) -> list[pb.Service]:
    """List the services of the mesh.

    Raises:
        Problem: the control plane does not answer.
    """
    with grpc.insecure_channel(control) as channel:
        try:
            listed = pages(MeshServiceStub(channel).ListServices, pb.ListServicesRequest())
            return [service for page in listed for service in page.services]
        except grpc.RpcError as error:
            raise Problem(
                f"the control plane at {control} does not answer ({error.code().name}); see: gossamer ps"
            ) from error


def service(control: str, name: str) -> pb.Service:
    """Find a service of the mesh.

    Raises:
        Problem: there is none of that name, or the control plane does not answer.
    """
    known = {each.name: each for each in services(control)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise Problem(f"no service {name!r} in the mesh; {hint}")
    return known[name]


def instance(service: pb.Service, id: str) -> pb.Instance:  # noqa: A002 - what it is called
    """Find an instance of a service.

    Raises:
        Problem: it has none of that id.
    """
    known = {each.id: each for each in service.instances}
    if id not in known:
        raise Problem(f"{service.name} has no instance {id!r}; there are: {', '.join(known) or 'none'}")
    return known[id]


def pages(call: Callable[..., Any], request: Any) -> Iterator[Any]:
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


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with the mesh.

    Attributes:
        lines: all of it, for people.
        refusals: what people wrote and no client could follow.
        nacks: what clients refuse and still hold against us, each with its node, type and reason.
    """

    lines: list[str]
    refusals: list[dict[str, str]] = field(default_factory=list)
    nacks: list[dict[str, str]] = field(default_factory=list)


def trouble(control: str) -> Trouble:
    """Tell what is wrong: a stale snapshot, held removals, entries that are left out, clients that refuse."""
    try:
        with grpc.insecure_channel(control) as channel:
            stub, traffic = MeshServiceStub(channel), TrafficServiceStub(channel)
            status = stub.GetStatus(pb.GetStatusRequest(), timeout=ANSWERS_WITHIN_S)
            clients = [each for page in pages(stub.ListClients, pb.ListClientsRequest()) for each in page.clients]
            listed = pages(traffic.ListRefusals, traffic_pb2.ListRefusalsRequest()) if status.complete else ()
            left_out = [each for page in listed for each in page.refusals]
            written = pages(traffic.ListPolicies, traffic_pb2.ListPoliciesRequest()) if status.complete else ()
            policies = [each for page in written for each in page.policies]
    except grpc.RpcError as error:
        return Trouble(lines=[f"the control plane at {control} does not answer ({error.code().name})"])
    lines = []
    if status.source_error:
        lines.append(f"{status.source} is silent for {status.age.ToSeconds()} s: {status.source_error}")
    lines += [
        f"{held.service}: {held.instances_before - held.instances_after} instances vanished at once;"
        " waiting for a second look"
        for held in status.held_removals
    ]
    lines += [f"left out for {each.service}: {each.subject}: {each.reason}" for each in left_out[:MOST]]
    if len(left_out) > MOST:
        lines.append(f"and {len(left_out) - MOST} more are left out; see: gossamer policy")
    lines += sorted({line for each in policies for line in _unanswered(each)})
    nacks = [
        {"node": client.node_id, "type": pb.ResourceType.Name(each.type), "reason": each.refusal}
        | {"user_agent": client.user_agent}
        for client in clients
        for each in client.subscriptions
        if each.refusal
    ]
    lines += [f"{each['node']} ({each['user_agent']}) refuses {each['type']}: {each['reason']}" for each in nacks]
    refusals = [{"service": each.service, "subject": each.subject, "reason": each.reason} for each in left_out]
    return Trouble(lines=lines, refusals=refusals, nacks=nacks)


def _unanswered(policy: traffic_pb2.Policy) -> Iterator[str]:
    """Say which calls of a service go where nobody answers."""
    for route in policy.routes:
        for each in route.destinations:
            if not each.instances and each.subset:
                share, subset = f"{each.weight / 100:g} %", f"{each.subset} of {each.service}"
                yield f"{share} of calls of {policy.service} go to {subset}, of which no instance can be called"
