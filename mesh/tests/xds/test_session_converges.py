"""Whatever a client and the mesh do, in any order: in the end the client holds exactly what there is, and it is quiet.

The client is a second implementation of the rules, written from the client's side: it queues its requests as a network
would, keeps what it accepted, and drops listeners and clusters that a response leaves out, and whatever it no longer
names. It follows one type, since the types of a stream share nothing but its nonces.
"""

from collections import deque

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gossamer_mesh.xds.resource import Resource
from gossamer_mesh.xds.session import Response

from .conversation import EDS, LDS, Conversation, plan

NAMES = ("catalog", "orders", "unknown")
STAR = "*"


class Client(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.server = Conversation(plan("catalog", 1), plan("orders", 2, 3))
        self.resources = self.server.publish()
        self.follows = frozenset()
        self.nonce = ""
        self.held: dict[str, Resource] = {}
        self.refused: set[str] = set()
        self.requests: deque[DiscoveryRequest] = deque()
        self.responses: deque[Response] = deque()

    @initialize(type_=st.sampled_from([EDS, LDS]), star=st.sampled_from([frozenset(), {STAR}]))
    def a_client_that_has_come_to_rest(self, type_, star):
        self.type = type_
        self.the_client_follows_other_names(frozenset(NAMES) | star)
        self.teardown()

    @rule(name=st.sampled_from(NAMES), ports=st.frozensets(st.integers(1, 4)))
    def the_mesh_changes(self, name, ports):
        self.resources = self.server.publish(plan(name, *sorted(ports)))

    @rule(wanted=st.frozensets(st.sampled_from((*NAMES, STAR))))
    def the_client_follows_other_names(self, wanted):
        left, self.follows = self.follows - wanted, wanted
        self.forget(left)
        self.send()

    @rule(left=st.sampled_from([frozenset(NAMES), *({name} for name in NAMES)]))
    def the_client_leaves_names_out_and_comes_back(self, left):
        names = self.follows
        self.the_client_follows_other_names(names - left)
        self.the_client_follows_other_names(names)

    @rule()
    def the_client_begins_the_type_again(self):
        self.nonce = ""
        self.send()

    @precondition(lambda self: self.requests)
    @rule()
    def a_request_arrives(self):
        self.server.session.receive(self.requests.popleft())

    @rule()
    def the_server_sends(self):
        if response := self.server.session.take():
            self.responses.append(response)

    @precondition(lambda self: self.responses)
    @rule(accept=st.booleans())
    def the_client_answers(self, accept):
        response = self.responses.popleft()
        self.nonce = response.nonce
        if accept:
            self.apply(response)
            self.send(version=response.version)
        else:
            self.refused |= {resource.name for resource in response.resources}
            self.send(error="no")

    @invariant()
    def at_rest_the_client_holds_what_there_is(self):
        if self.requests or self.responses:
            return
        if response := self.server.session.take():
            self.responses.append(response)
            return
        everything = self.resources.names(self.type) if self.follows_everything else ()
        for name in {*self.follows, *everything} - self.refused - {STAR}:
            assert self.resources.get(self.type, name).same(self.held.get(name)), name

    def apply(self, response):
        named = {resource.name: resource for resource in response.resources}
        self.held = named if response.type.full_state else {**self.held, **named}
        self.refused -= named.keys()
        self.forget()

    @property
    def follows_everything(self):
        return STAR in self.follows and self.type.full_state

    def forget(self, left=frozenset()):
        gone = left if self.follows_everything else (self.held.keys() | self.refused) - self.follows
        self.held = {name: held for name, held in self.held.items() if name not in gone}
        self.refused -= gone

    def send(self, *, version="", error=None):
        request = DiscoveryRequest(
            type_url=self.type.url, resource_names=self.follows, response_nonce=self.nonce, version_info=version
        )
        if error:
            request.error_detail.message = error
        self.requests.append(request)

    def teardown(self):
        """Let everything that is under way arrive: it must come to rest soon."""
        for _ in range(200):
            if self.requests:
                self.a_request_arrives()
            elif self.responses:
                self.the_client_answers(accept=True)
            elif response := self.server.session.take():
                self.responses.append(response)
            else:
                self.at_rest_the_client_holds_what_there_is()
                return
        raise AssertionError("the conversation does not come to rest")


TestClient = Client.TestCase
TestClient.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
