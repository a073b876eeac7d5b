"""Our own words -> the messages of gossamer.mesh.v1. Pure."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gossamer.mesh.v1 import mesh_pb2
from gossamer_mesh import model
from gossamer_mesh.discovery import Held, Snapshot
from gossamer_mesh.xds import Stream, Type
from gossamer_mesh.xds.session import Subscription

HEALTH = {
    model.Health.PASSING: mesh_pb2.INSTANCE_HEALTH_PASSING,
    model.Health.WARNING: mesh_pb2.INSTANCE_HEALTH_WARNING,
    model.Health.CRITICAL: mesh_pb2.INSTANCE_HEALTH_CRITICAL,
    model.Health.MAINTENANCE: mesh_pb2.INSTANCE_HEALTH_MAINTENANCE,
}

TYPES = {
    Type.LISTENER: mesh_pb2.RESOURCE_TYPE_LISTENER,
    Type.ROUTE_CONFIGURATION: mesh_pb2.RESOURCE_TYPE_ROUTE_CONFIGURATION,
    Type.CLUSTER: mesh_pb2.RESOURCE_TYPE_CLUSTER,
    Type.CLUSTER_LOAD_ASSIGNMENT: mesh_pb2.RESOURCE_TYPE_CLUSTER_LOAD_ASSIGNMENT,
}

SHOWN_NAMES = 1000
"""How many names of a subscription are shown, so that no client makes a page too large for all."""


def service(known: model.Service) -> mesh_pb2.Service:
    """Show one service with its instances."""
    return mesh_pb2.Service(
        name=known.name, contracts=known.contracts, instances=[_instance(instance) for instance in known.instances]
    )


def _instance(instance: model.Instance) -> mesh_pb2.Instance:
    return mesh_pb2.Instance(
        id=instance.id,
        address=instance.address,
        health=HEALTH[instance.health],
        health_output=instance.health_output,
        version=instance.version,
        zone=instance.zone,
        language=instance.language,
    )


def status(
    snapshot: Snapshot | None, *, age: float, source: str, error: str, clients: int
) -> mesh_pb2.GetStatusResponse:
    """Show how fresh the snapshot is; `age` is seconds."""
    shown = mesh_pb2.GetStatusResponse(age=_duration(age), source=source, source_error=error, clients=clients)
    if snapshot:
        shown.complete = True
        shown.version = snapshot.version
        shown.change_time.FromDatetime(snapshot.change_time)
        shown.held_removals.extend(_held(held) for held in snapshot.held)
    return shown


def _duration(seconds: float) -> Duration:
    shown = Duration()
    shown.FromMicroseconds(int(seconds * 1e6))
    return shown


def _held(held: Held) -> mesh_pb2.HeldRemoval:
    return mesh_pb2.HeldRemoval(service=held.service, instances_before=held.before, instances_after=held.after)


def client(stream: Stream) -> mesh_pb2.Client:
    """Show one stream with what its client follows."""
    connect_time = Timestamp()
    connect_time.FromDatetime(stream.connect_time)
    return mesh_pb2.Client(
        node_id=stream.node.id,
        user_agent=stream.node.user_agent,
        peer=stream.peer,
        connect_time=connect_time,
        subscriptions=[_subscription(subscription) for subscription in stream.session.subscriptions],
    )


def _subscription(subscription: Subscription) -> mesh_pb2.Subscription:
    return mesh_pb2.Subscription(
        type=TYPES[subscription.type],
        names=sorted(subscription.names)[:SHOWN_NAMES],
        wildcard=subscription.wildcard,
        sent_version=subscription.sent_version,
        accepted_version=subscription.accepted_version,
        refusal=subscription.refusal,
        refusals=subscription.refusals,
    )
