"""One xDS stream without its socket: requests in, responses out. No clock, no tasks, nothing left to chance.

The rules are those of state-of-the-world ADS as gRPC clients speak it (xds.md section 5; A27, A40, A46, A53; Envoy's
xds_protocol). A request of a type is one of four kinds, and the table says what each does:

| kind  | when                                              | names   | sent      | verdict on responses |
|-------|---------------------------------------------------|---------|-----------|----------------------|
| first | nothing was sent of the type, or no nonce is given| taken   | forgotten | none                 |
| stale | its nonce is not that of the last response        | ignored*| kept      | noted for that nonce |
| ack   | the last nonce, no error                          | taken   | kept      | accepted             |
| nack  | the last nonce, and an error                      | taken   | kept      | refused              |

* except that what it leaves out is remembered: the client has dropped it, and if its next valid request names it again,
it is sent again. Otherwise a client that leaves and returns while a response is under way would wait for ever.

What is due is never queued: it is worked out from what the client was sent and what there is, when a response is taken.
A client that reads slowly therefore gets only the newest state, and costs no memory while it doesn't read.

After a refusal the client keeps its last good resource. The refused one counts as sent: it is not sent again until it
changes.

Envoy waits for the endpoints of a cluster that changed, also if they did not (go-control-plane #245, envoy #13009): to
it, they are sent again.

Go fails calls that go to a cluster which is new to it: before routes that lead to one, it is sent those it has with the
cluster announced in them, and the new ones when it has accepted the cluster's endpoints.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import attrgetter
from typing import NamedTuple

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from gossamer_mesh.xds.announcements import PREFIX as ANNOUNCING
from gossamer_mesh.xds.announcements import announcing
from gossamer_mesh.xds.node import Node
from gossamer_mesh.xds.resource import Resource, ResourceSet
from gossamer_mesh.xds.types import BY_URL, Type
from gossamer_mesh.xds.views import Dialect, View

WILDCARD = "*"

LONGEST_NAME = 255
"""Characters. A longer name is not followed: no service has it, and what it is told would be as long."""

LONGEST_REASON = 4000
"""Characters that are kept of a client's reason to refuse."""


class Refusal(NamedTuple):
    """A client's reason to refuse what it was sent."""

    type: Type
    reason: str
    repeated: bool = False
    """Whether the client gave the same reason before, and accepted nothing since."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What a client is to be sent."""

    type: Type
    version: str
    nonce: str
    resources: tuple[Resource, ...]

    def encode(self) -> bytes:
        """Make the DiscoveryResponse: a head of its own, and the bytes that all streams share."""
        head = DiscoveryResponse(version_info=self.version, type_url=self.type.url, nonce=self.nonce)
        return b"".join((head.SerializeToString(), *(resource.wire for resource in self.resources)))


class _Kind(Enum):
    FIRST = auto()
    STALE = auto()
    ACK = auto()
    NACK = auto()


class _Sent(NamedTuple):
    resource: Resource
    nonce: int


@dataclass(kw_only=True, slots=True)
class Subscription:
    """What a client follows of one type, and what it said to what it was sent."""

    type: Type
    names: frozenset[str] = frozenset()
    """Without the wildcard."""
    wildcard: bool = False
    sent_version: str = ""
    accepted_version: str = ""
    refusal: str = ""
    """Why it refused a response of which it has accepted nothing newer yet; empty if there is none."""
    refusals: int = 0
    _nonce: int = 0
    """Of the last response; 0: nothing was sent."""
    _named: bool = False
    """Whether the stream ever named a resource of the type: from then on, no names means none."""
    _sent: dict[str, Resource] = field(default_factory=dict)
    """The latest of each name that the client was sent and still follows."""
    _dropped: frozenset[str] = frozenset()
    """What stale requests left out: the client has dropped it, and if it asks for it again, needs it again."""
    _unanswered: dict[str, _Sent] = field(default_factory=dict)
    """What of it the client has neither accepted nor refused yet."""
    _refused: frozenset[str] = frozenset()
    """What was in the response that it refused last."""
    _accepted: dict[str, Resource] = field(default_factory=dict)
    """The latest of each name that the client accepted and still follows."""
    _asked: frozenset[str] | None = None
    """What the last valid request named: most requests name the same again."""
    _settled: str = ""
    """The version of the type of which nothing is due; empty: that is to be looked up."""

    def receive(self, request: DiscoveryRequest) -> Refusal | None:
        """Take a request in. Tells a refusal."""
        kind = self._kind(request)
        if kind is _Kind.FIRST:
            self._forget(self._sent.keys() | self._accepted.keys())
            self._nonce = 0
        names = frozenset(name for name in request.resource_names if 0 < len(name) <= LONGEST_NAME)
        if kind is _Kind.STALE:
            self._dropped |= (self.names if self.wildcard else self._sent.keys()) - names
        elif kind is _Kind.FIRST or self._dropped or names != self._asked:
            self._forget(self._dropped)
            self._follow(names, named=bool(request.resource_names))
            self._asked, self._settled = names, ""
        return None if kind is _Kind.FIRST else self._judge(request)

    @property
    def settled(self) -> bool:
        """Whether what was asked for is as it was when nothing was due."""
        return bool(self._settled)

    def due(self, resources: ResourceSet) -> tuple[Resource, ...] | None:
        """Tell what has to be sent for the client to hold what there is; none if nothing has to."""
        version = resources.versions[self.type]
        if version == self._settled:
            return None
        wanted = [found for name in self._wanted(resources) if (found := resources.get(self.type, name))]
        changed = self.changed(wanted)
        waits_for_all = self.wildcard and not self._nonce
        if not changed and not waits_for_all:
            self._settled = version
            return None
        return tuple(sorted(wanted if self.type.full_state else changed, key=attrgetter("name")))

    def sending(self, resources: tuple[Resource, ...], version: str, nonce: int) -> None:
        """Note what is sent."""
        self._nonce, self.sent_version = nonce, version
        self._settled = "" if any(resource.announced for resource in resources) else version
        for resource in resources:
            self._sent[resource.name] = resource
            self._unanswered[resource.name] = _Sent(resource, nonce)

    def changed(self, resources: Iterable[Resource]) -> list[Resource]:
        """Tell which of these the client was not sent yet."""
        return [resource for resource in resources if not resource.same(self._sent.get(resource.name))]

    def repeat(self, names: Iterable[str]) -> None:
        """Have these sent again, though the client holds them."""
        for name in names:
            self._sent.pop(name, None)
        self._settled = ""

    def sent(self, name: str) -> Resource | None:
        """Give the latest of a name that the client was sent and still follows."""
        return self._sent.get(name)

    def accepted(self, names: AbstractSet[str]) -> AbstractSet[str]:
        """Tell of which of these names the client has accepted something."""
        return names & self._accepted.keys()

    def new(self) -> AbstractSet[str]:
        """Name what the client asked for and was not sent yet."""
        return self.names - self._sent.keys() if not self._settled else frozenset()

    def has_left(self, name: str, address: str) -> bool:
        """Tell whether the client accepted the latest it was sent of that name, and that lacks the address."""
        accepted = self._accepted.get(name)
        return accepted is not None and name not in self._unanswered and address not in accepted.addresses

    def _kind(self, request: DiscoveryRequest) -> _Kind:
        if not self._nonce or not request.response_nonce:
            return _Kind.FIRST
        if request.response_nonce != str(self._nonce):
            return _Kind.STALE
        return _Kind.NACK if request.HasField("error_detail") else _Kind.ACK

    def _follow(self, names: frozenset[str], *, named: bool) -> None:
        """Take the names of a request: no names at all means everything, for types that are deleted by leaving out.

        What is named no longer is forgotten also if it is a part of everything: the client may have dropped it.
        """
        self._named = self._named or named
        self._forget(self.names - names)
        self.wildcard = self.type.full_state and (WILDCARD in names or not self._named)
        self.names = names - {WILDCARD} if WILDCARD in names else names
        if not self.wildcard:
            self._forget(self._sent.keys() - self.names)

    def _forget(self, names: AbstractSet[str]) -> None:
        """Count these as never sent: the client has dropped them."""
        for held in (self._sent, self._unanswered, self._accepted):
            for name in names & held.keys():
                del held[name]
        self._dropped = frozenset()
        if self._refused:  # an empty set less something is a new empty set, and there are thousands of clients
            self._refused -= names
        self._end_refusal()

    def _end_refusal(self) -> None:
        """Show no refusal of what was accepted or dropped since."""
        if not self._refused:
            self.refusal = ""

    def _wanted(self, resources: ResourceSet) -> frozenset[str]:
        return self.names.union(resources.names(self.type)) if self.wildcard else self.names

    def _judge(self, request: DiscoveryRequest) -> Refusal | None:
        """Note what the client said to a response. Answers come in order, so it covers the ones before as well."""
        answered = self._answered(request.response_nonce)
        if not request.HasField("error_detail"):
            self._accepted.update(answered)
            self.accepted_version = request.version_info
            if not self._refused.isdisjoint(answered):
                self._refused = frozenset()
                self._end_refusal()
            return None
        reason = request.error_detail.message[:LONGEST_REASON] or "no reason given"
        repeated = reason == self.refusal
        self.refusal, self.refusals = reason, self.refusals + 1
        self._refused = frozenset(answered) or self._refused
        return Refusal(self.type, reason, repeated)

    def _answered(self, nonce: str) -> Mapping[str, Resource]:
        number = int(nonce) if nonce.isdecimal() else 0
        answered = {name: sent.resource for name, sent in self._unanswered.items() if sent.nonce <= number}
        for name in answered:
            del self._unanswered[name]
        if not self._unanswered:
            self._unanswered = {}  # one that was emptied stays as large as it was
        return answered


class Session:
    """One stream: what its client follows, and what it is due."""

    __slots__ = ("_last_nonce", "_quiet", "_resources", "_subscriptions", "node", "view")

    def __init__(self) -> None:
        self.node: Node | None = None
        """None until the first request."""
        self.view: View | None = None
        """What decides what it is told; none until the first request."""
        self._subscriptions: dict[Type, Subscription] = {}
        """In the order of the types."""
        self._resources: ResourceSet | None = None
        self._quiet = True
        """Whether it is known that nothing is due, as it is after most of what a client says."""
        self._last_nonce = 0

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """What the client follows, of each type that it asked for."""
        return iter(self._subscriptions.values())

    def receive(self, request: DiscoveryRequest) -> Refusal | None:
        """Take a request in. Tells a refusal. A type that is not served here is ignored."""
        if self.node is None:
            self.node = Node.of(request.node)
            self.view = View.of(self.node)
        type_ = BY_URL.get(request.type_url)
        if type_ is None:
            return None
        if type_ not in self._subscriptions:
            known = {**self._subscriptions, type_: Subscription(type=type_)}
            self._subscriptions = {each: known[each] for each in Type if each in known}
        subscription = self._subscriptions[type_]
        refusal = subscription.receive(request)
        self._quiet = self._quiet and subscription.settled
        return refusal

    def offer(self, resources: ResourceSet) -> None:
        """Say what there is now."""
        self._quiet = self._quiet and resources is self._resources
        self._resources = resources

    @property
    def pending(self) -> bool:
        """Whether a response may be due: what is newly asked for is not looked up to tell it."""
        if self._quiet or self._resources is None:
            return False
        self._quiet = all(each.settled and each.due(self._resources) is None for each in self.subscriptions)
        return not self._quiet

    def take(self) -> Response | None:
        """Take the next response that is due, in the order of make before break; none if nothing is."""
        if self._quiet or self._resources is None:
            return None
        waits = False
        for subscription in self.subscriptions:
            due = subscription.due(self._resources)
            if due is not None:
                prepared = self._prepared(subscription, due)
                if prepared or not due:
                    return self._send(subscription, prepared, self._resources.versions[subscription.type])
                waits = True
        self._quiet = not waits
        return None

    def new(self) -> Iterator[Resource | None]:
        """Find what newly asked names are told, one after the other: what has to be made for them is made only now."""
        for subscription in self.subscriptions:
            for name in subscription.new() if self._resources else ():
                yield self._resources.get(subscription.type, name) if self._resources else None

    def follows(self, type_: Type, name: str) -> bool:
        """Tell whether the client follows that name."""
        subscription = self._subscriptions.get(type_)
        return subscription is not None and (name in subscription.names or subscription.wildcard)

    def has_left(self, name: str, address: str) -> bool:
        """Tell whether the client accepted the latest assignment it was sent, and that lacks the address."""
        subscription = self._subscriptions.get(Type.CLUSTER_LOAD_ASSIGNMENT)
        return subscription is not None and subscription.has_left(name, address)

    def _prepared(self, subscription: Subscription, due: tuple[Resource, ...]) -> tuple[Resource, ...]:
        """Put in place of routes what has to be sent before them; leave out those that have to wait."""
        if subscription.type is not Type.ROUTE_CONFIGURATION or not self.view or self.view.dialect is not Dialect.GO:
            return due
        return tuple(filter(None, (self._announced(subscription, routes) for routes in due)))

    def _announced(self, subscription: Subscription, routes: Resource) -> Resource | None:
        """Announce clusters that calls don't go to yet, and wait until the client has accepted their endpoints."""
        before = subscription.sent(routes.name)
        if not before:
            return routes
        new = routes.clusters - before.clusters
        if assignments := self._subscriptions.get(Type.CLUSTER_LOAD_ASSIGNMENT):
            new -= assignments.accepted(new)
        if not new:
            return routes
        return None if new <= before.announced else announcing(before, new)

    def _send(self, subscription: Subscription, resources: tuple[Resource, ...], version: str) -> Response:
        if self.view and self.view.dialect is Dialect.ENVOY and subscription.type is Type.CLUSTER:
            self._repeat_assignments(subscription.changed(resources))
        if any(resource.announced for resource in resources):
            version = f"{ANNOUNCING}{version}"
        self._last_nonce += 1
        subscription.sending(resources, version, self._last_nonce)
        return Response(type=subscription.type, version=version, nonce=str(self._last_nonce), resources=resources)

    def _repeat_assignments(self, clusters: Iterable[Resource]) -> None:
        """Have the endpoints of these clusters sent again, if the client follows them."""
        if assignments := self._subscriptions.get(Type.CLUSTER_LOAD_ASSIGNMENT):
            assignments.repeat(cluster.name for cluster in clusters)
