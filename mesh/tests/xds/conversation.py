"""A gRPC client's side of one session, spelled out: what it asks for, and what it says to what it is sent."""

from collections.abc import Iterable
from dataclasses import replace

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from gossamer_mesh.model import Audience, Cluster, Endpoint, Match, PathIs, Plan, Retry, Route, Share
from gossamer_mesh.xds.resource import ResourceSet
from gossamer_mesh.xds.resources import Resources
from gossamer_mesh.xds.session import Refusal, Response, Session
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import View

LDS, RDS, CDS, EDS = Type.LISTENER, Type.ROUTE_CONFIGURATION, Type.CLUSTER, Type.CLUSTER_LOAD_ASSIGNMENT


def plan(service: str, *ports: int, retried: Iterable[str] = ()) -> Plan:
    """A plan with instances on these ports."""
    retry, to = Retry(on=("unavailable",), times=3), (Share(cluster=service),)
    routes = (*(Route(match=Match(is_=PathIs.EXACT, path=path), to=to, retry=retry) for path in retried), Route(to=to))
    endpoints = tuple(Endpoint(host="127.0.0.1", port=port, zone="a") for port in ports)
    return Plan(
        service=service, routes=routes, clusters=(Cluster(name=service, levels=(endpoints,) if endpoints else ()),)
    )


def slower(planned: Plan, seconds: float) -> Plan:
    """The same plan, but for the time that connections may take."""
    return replace(planned, clusters=tuple(replace(each, connect_timeout=seconds) for each in planned.clusters))


class Conversation:
    """One session and the client that talks to it."""

    def __init__(self, *plans: Plan, user_agent: str = "") -> None:
        self.session = Session()
        self._node = Node(id="client", user_agent_name=user_agent)
        self._resources = Resources(boot="boot")
        self.publish(*plans)

    def publish(self, *plans: Plan) -> ResourceSet:
        """Change what there is."""
        self._resources.update(Audience(), plans)
        resources = self._resources.of(self.session.view or View())
        self.session.offer(resources)
        return resources

    def ask(
        self, type_: Type, *names: str, nonce: str = "", version: str = "", error: str | None = None
    ) -> Refusal | None:
        """Send a request as it would be on the wire."""
        request = DiscoveryRequest(
            type_url=type_.url, resource_names=names, response_nonce=nonce, version_info=version, node=self._node
        )
        if error is not None:
            request.error_detail.message = error
        first = self.session.view is None
        refusal = self.session.receive(request)
        if first and self._node.user_agent_name:
            self.publish()
        return refusal

    def take(self) -> Response:
        """The next response, which must be due."""
        assert self.session.pending, "no response is due"
        response = self.session.take()
        assert response is not None, "nothing is sent, though a response is due"
        return response

    def accept(self, response: Response, *names: str) -> None:
        """ACK a response, with these names from now on."""
        self.ask(response.type, *names, nonce=response.nonce, version=response.version)

    def refuse(self, response: Response, *names: str, reason: str = "bad") -> Refusal | None:
        """NACK a response."""
        return self.ask(response.type, *names, nonce=response.nonce, error=reason)

    def settle(self, type_: Type, *names: str) -> Response:
        """Ask for names for the first time, take what is sent and accept it."""
        self.ask(type_, *names)
        response = self.take()
        self.accept(response, *names)
        return response

    def quiet(self) -> bool:
        """Whether nothing is due."""
        return self.session.take() is None and not self.session.pending


def names(response: Response) -> list[str]:
    """What a response holds."""
    return [resource.name for resource in response.resources]


def decoded(response: Response) -> DiscoveryResponse:
    """A response as a client reads it."""
    return DiscoveryResponse.FromString(response.encode())
