"""Whatever a mesh does to a client that follows all types, in any order: it ends with all there is, never too early.

The client goes from its listener to routes, clusters and endpoints, as gRPC does, keeps a nonce for each type, refuses
some of what it is sent, and comes back on a new stream. Once it makes calls, Go is never sent routes to clusters
whose endpoints it has not accepted.
"""

from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gossamer_mesh.model import Cluster, Endpoint, Plan, Route, Share
from gossamer_mesh.xds.session import Session

from .conversation import CDS, EDS, LDS, RDS, Conversation

CLUSTERS = ("catalog", "catalog/v1", "catalog/v2")
TYPES = (LDS, RDS, CDS, EDS)


def planned(leads, port, seconds):
    """A plan whose calls go to some clusters, all with one instance on a port."""
    level = ((Endpoint(host="127.0.0.1", port=port),),)
    return Plan(
        service="catalog",
        routes=(Route(to=tuple(Share(cluster=name, weight=1) for name in sorted(leads))),),
        clusters=tuple(Cluster(name=name, levels=level, connect_timeout=seconds) for name in CLUSTERS),
    )


def led_to(resource):
    """The clusters of the routes that take calls, and of all routes."""
    (packed,) = DiscoveryResponse.FromString(resource.wire).resources
    routes = RouteConfiguration.FromString(packed.value).virtual_hosts[0].routes
    every = [{r.route.cluster} - {""} | {x.name for x in r.route.weighted_clusters.clusters} for r in routes]
    return every[0], set().union(*every)


class Client(RuleBasedStateMachine):
    @initialize(
        agent=st.sampled_from(["gRPC Go", "gRPC C-core", "envoy"]), leads=st.sets(st.sampled_from(CLUSTERS), min_size=1)
    )
    def a_client_that_has_come_to_rest(self, agent, leads):
        self.agent = agent
        self.server = Conversation(planned(leads, 1, 1), user_agent=agent)
        self.resources = None
        self.held = {type_: {} for type_ in TYPES}
        self.begin()
        self.rest()

    def begin(self):
        """Come on a new stream, with what was held."""
        self.nonces = dict.fromkeys(TYPES, "")
        self.asked = {}
        self.calls = False
        self.server.session = Session()
        self.ask()
        self.server.publish()

    def wanted(self):
        routes = self.held[RDS].get("catalog")
        clusters = led_to(routes)[1] if routes else set()
        if self.agent == "envoy":
            clusters = set(CLUSTERS)
        return {LDS: {"catalog"} if self.agent != "envoy" else set(), RDS: {"catalog"}, CDS: clusters, EDS: clusters}

    def ask(self):
        """Name what is followed now of the types where that changed."""
        for type_, names in self.wanted().items():
            if self.asked.get(type_, set()) != names:
                self.asked[type_] = names
                self.held[type_] = {name: held for name, held in self.held[type_].items() if name in names}
                self.server.ask(type_, *names, nonce=self.nonces[type_], version="some")

    @rule(leads=st.sets(st.sampled_from(CLUSTERS), min_size=1), port=st.integers(1, 3), seconds=st.integers(1, 2))
    def the_mesh_changes(self, leads, port, seconds):
        self.server.publish(planned(leads, port, seconds))

    @precondition(lambda self: self.server.session.pending)
    @rule(accept=st.sampled_from([True, True, True, False]))
    def the_client_is_sent_something(self, accept):
        response = self.server.session.take()
        if response is None:
            return
        self.check(response)
        if accept or response.type is RDS:
            self.accept(response)
        else:
            self.nonces[response.type] = response.nonce
            self.server.refuse(response, *self.asked[response.type])

    @rule()
    def the_client_comes_back_on_a_new_stream(self):
        self.begin()

    def rest(self):
        for _ in range(100):
            if (response := self.server.session.take()) is None:
                return
            self.check(response)
            self.accept(response)
        raise AssertionError("the conversation does not come to rest")

    def check(self, response):
        """It holds what was asked for, all of it where that is the rule, and nothing too early."""
        type_ = response.type
        named = {resource.name: resource for resource in response.resources}
        assert named.keys() <= self.asked[type_]
        assert not type_.full_state or named.keys() == self.asked[type_]
        if type_ is RDS and self.agent == "gRPC Go" and self.calls:
            before = led_to(self.held[RDS]["catalog"])[0] if "catalog" in self.held[RDS] else set()
            assert led_to(named["catalog"])[0] <= before | self.held[EDS].keys()

    def accept(self, response):
        type_, named = response.type, {resource.name: resource for resource in response.resources}
        self.nonces[type_] = response.nonce
        self.held[type_] |= named
        self.calls = self.calls or type_ is RDS
        self.server.accept(response, *self.asked[type_])
        self.ask()

    def teardown(self):
        if not hasattr(self, "server"):
            return
        self.server.publish(planned({"catalog/v2"}, 9, 3))
        self.rest()
        everything = self.server.publish()
        for type_ in TYPES:
            for name in self.asked.get(type_, ()):
                assert everything.get(type_, name).same(self.held[type_].get(name)), (type_, name)


TestClient = Client.TestCase
TestClient.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
