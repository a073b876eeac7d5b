"""What Consul's compiled chains mean: routes, clusters and what they are made of, and what is refused with which words.

The chains are as Consul 1.22 answers them; what does not matter here is left out.
"""

import pytest

from gossamer_mesh.model import (
    Abort,
    Audience,
    Balance,
    Entries,
    Fault,
    Header,
    HeaderIs,
    Instance,
    Match,
    Mesh,
    Outlier,
    PathIs,
    Retry,
    Service,
    Share,
)
from gossamer_mesh.policy import Contracts, plan
from gossamer_mesh.policy.defaults import OUTLIER

GET, LIST = "/shop.Catalog/Get", "/shop.Catalog/List"
CONTRACTS = Contracts(repeatable={"shop.Catalog": (GET,)}, unary={"shop.Catalog": (GET, LIST)})
RETRY = Retry(on=("unavailable",), times=3)
CALLER = Audience(caller="web")


def target(service, subset="", filter_="", **more):
    id_ = f"{subset}.{service}.default.default.dc1" if subset else f"{service}.default.default.dc1"
    chosen = {"Filter": filter_} if filter_ else {}
    return id_, {"ID": id_, "Service": service, "ServiceSubset": subset, "Datacenter": "dc1", "Subset": chosen, **more}


def resolver(id_, failover=(), balancer=None, **more):
    fields = {"ConnectTimeout": "3s", "Target": id_, **({"Failover": {"Targets": list(failover)}} if failover else {})}
    node = {"Type": "resolver", "Name": id_, "Resolver": {**fields, **more}}
    return {f"resolver:{id_}": {**node, **({"LoadBalancer": balancer} if balancer else {})}}


def splitter(service, *splits):
    legs = [{"Weight": weight, "NextNode": f"resolver:{id_}"} for weight, id_ in splits]
    return {f"splitter:{service}": {"Type": "splitter", "Name": f"{service}.default.default", "Splits": legs}}


def router(service, *routes):
    written = [
        {"Definition": {"Match": {"HTTP": http}, "Destination": destination}, "NextNode": next_}
        for http, destination, next_ in routes
    ]
    return {f"router:{service}": {"Type": "router", "Name": f"{service}.default.default", "Routes": written}}


def chain(start, nodes, *targets, protocol="grpc"):
    return {"Protocol": protocol, "Datacenter": "dc1", "StartNode": start, "Nodes": nodes, "Targets": dict(targets)}


A, B = target("catalog", "a", "v == a"), target("catalog", "b", "v == b")
PLAIN, OTHER = target("catalog"), target("other")
SELECTED = {("catalog", "v == a"): frozenset({"1"}), ("catalog", "v == b"): frozenset({"2"})}


def planned(written, audience=CALLER, last_good=None, **entries):
    instances = [Instance(id=str(n), host="10.0.0.1", port=n, contracts=("shop.Catalog",)) for n in (1, 2)]
    services = [Service.of("catalog", instances), Service.of("other", [Instance(id="3", host="10.0.0.1", port=3)])]
    mesh = Mesh.of(services, Entries(chains={"catalog": written}, selected=SELECTED, **entries))
    return plan("catalog", mesh, CONTRACTS, audience, last_good)


def clusters(result):
    return {each.name: [[e.port for e in level] for level in each.levels] for each in result.plan.clusters}


def routed(*routes, **more):
    """Plan a router whose routes all lead to the service itself."""
    next_ = f"resolver:{PLAIN[0]}"
    written = router("catalog", *((*route, next_) for route in routes), ({"PathPrefix": "/"}, {}, next_))
    return planned(chain("router:catalog", {**written, **resolver(PLAIN[0], **more)}, PLAIN))


def reasons(result):
    return {refusal.subject: refusal.reason for refusal in result.refusals}


def test_a_splitter_becomes_shares_of_the_subsets():
    nodes = {**splitter("catalog", (99.99, A[0]), (0.01, B[0])), **resolver(A[0]), **resolver(B[0])}
    result = planned(chain("splitter:catalog", nodes, A, B))
    assert result.plan.routes[-1].to == (
        Share(cluster="catalog/a", weight=9999),
        Share(cluster="catalog/b", weight=1),
    )
    assert clusters(result) == {"catalog": [[1, 2]], "catalog/a": [[1]], "catalog/b": [[2]]}
    assert result.plan.routes[-1].source == "service-splitter/catalog"


def test_a_weight_of_zero_is_no_share():
    nodes = {**splitter("catalog", (100, A[0]), (0, B[0])), **resolver(A[0]), **resolver(B[0])}
    assert planned(chain("splitter:catalog", nodes, A, B)).plan.routes[-1].to == (Share(cluster="catalog/a"),)


def test_a_split_that_changes_headers_is_refused():
    nodes = {**splitter("catalog", (100, A[0]), (0, B[0])), **resolver(A[0]), **resolver(B[0])}
    nodes["splitter:catalog"]["Splits"][0]["Definition"] = {"RequestHeaders": {"Set": {"x-arm": "a"}}}
    result = planned(chain("splitter:catalog", nodes, A, B))
    assert list(reasons(result)) == ["service-splitter/catalog Splits[0].RequestHeaders"]


def test_a_method_that_may_be_repeated_is_tried_again_wherever_its_calls_go():
    nodes = {**splitter("catalog", (50, A[0]), (50, B[0])), **resolver(A[0]), **resolver(B[0])}
    first, rest = planned(chain("splitter:catalog", nodes, A, B)).plan.routes
    assert (first.match, first.retry) == (Match(is_=PathIs.EXACT, path=GET), RETRY)
    assert (rest.match, rest.retry, first.to) == (Match(), None, rest.to)


def test_a_failover_is_a_second_level():
    nodes = resolver(PLAIN[0], failover=[OTHER[0]])
    assert clusters(planned(chain(f"resolver:{PLAIN[0]}", nodes, PLAIN, OTHER))) == {"catalog": [[1, 2], [3]]}


def test_a_redirect_calls_the_other_service_by_its_own_cluster():
    result = planned(chain(f"resolver:{OTHER[0]}", resolver(OTHER[0]), OTHER))
    assert result.plan.routes[-1].to == (Share(cluster="other"),)
    assert clusters(result) == {"catalog": [[1, 2]], "other": [[3]]}


@pytest.mark.parametrize(
    ("written", "header"),
    [
        ({"Exact": "1"}, Header(name="x-a", is_=HeaderIs.EXACT, value="1")),
        ({"Prefix": "1"}, Header(name="x-a", is_=HeaderIs.PREFIX, value="1")),
        ({"Suffix": "1"}, Header(name="x-a", is_=HeaderIs.SUFFIX, value="1")),
        ({"Contains": "1"}, Header(name="x-a", is_=HeaderIs.CONTAINS, value="1")),
        ({"Regex": "1+"}, Header(name="x-a", is_=HeaderIs.REGEX, value="1+")),
        ({"Present": True}, Header(name="x-a", is_=HeaderIs.PRESENT)),
        ({"Exact": "1", "Invert": True}, Header(name="x-a", is_=HeaderIs.EXACT, value="1", invert=True)),
        ({"Exact": "a.b", "IgnoreCase": True}, Header(name="x-a", is_=HeaderIs.REGEX, value=r"(?i)a\.b")),
    ],
)
def test_every_kind_of_header_is_a_condition(written, header):
    result = routed(({"PathExact": LIST, "Header": [{"Name": "X-A", **written}]}, {}))
    assert result.plan.routes[0].match == Match(is_=PathIs.EXACT, path=LIST, headers=(header,))
    assert result.plan.routes[0].source == "service-router/catalog Routes[0]"


@pytest.mark.parametrize(
    ("http", "match"),
    [
        ({"PathExact": LIST}, Match(is_=PathIs.EXACT, path=LIST)),
        ({"PathPrefix": "/shop.Catalog/L"}, Match(path="/shop.Catalog/L")),
        ({"PathRegex": "/shop.Catalog/L.*"}, Match(is_=PathIs.REGEX, path="/shop.Catalog/L.*")),
    ],
)
def test_every_kind_of_path_is_a_condition(http, match):
    assert routed((http, {})).plan.routes[0].match == match


def test_a_destination_says_how_long_and_how_often():
    destination = {
        "RequestTimeout": "1m30s",
        "NumRetries": 2,
        "RetryOn": ["cancelled"],
        "RetryOnConnectFailure": True,
        "RetryOnStatusCodes": [503],
    }
    route = routed(({"PathExact": GET}, destination)).plan.routes[0]
    assert (route.timeout, route.retry) == (90.0, Retry(on=("cancelled", "unavailable"), times=2))


def test_a_resolvers_timeout_holds_where_the_route_has_none():
    result = routed(({"PathExact": GET}, {"RequestTimeout": "1s"}), RequestTimeout=7_000_000_000)
    assert [route.timeout for route in result.plan.routes] == [1.0, 7.0]


def test_a_ring_is_hashed_on_headers():
    balancer = {
        "Policy": "ring_hash",
        "RingHashConfig": {"MinimumRingSize": 64},
        "HashPolicies": [{"Field": "header", "FieldValue": "X-User"}],
    }
    result = planned(chain(f"resolver:{PLAIN[0]}", resolver(PLAIN[0], balancer=balancer), PLAIN))
    (cluster,) = result.plan.clusters
    assert (cluster.balance, cluster.ring_size, cluster.connect_timeout) == (Balance.RING_HASH, (64, 4096), 3.0)
    assert result.plan.routes[-1].hash_on == ("x-user",)


def test_a_callers_own_limits_hold_for_it_and_nobody_else():
    passive = {"Interval": 10_000_000_000, "MaxFailures": 3, "MaxEjectionPercent": 50}
    override = {"Name": "catalog", "Limits": {"MaxConcurrentRequests": 9}}
    written = {"UpstreamConfig": {"Defaults": {"PassiveHealthCheck": passive}, "Overrides": [override]}}
    plain = chain(f"resolver:{PLAIN[0]}", resolver(PLAIN[0]), PLAIN)
    (own,) = planned(plain, defaults={"web": written}).plan.clusters
    (others,) = planned(plain, Audience(caller="cli"), defaults={"web": written}).plan.clusters
    outlier = Outlier(interval=10.0, max_ejection_percent=50, threshold=50, request_volume=3)
    assert (own.max_requests, own.outlier) == (9, outlier)
    assert (others.max_requests, others.outlier) == (None, OUTLIER)


def test_a_fault_is_for_its_caller_its_method_and_its_headers():
    fault = (
        '[{"from": "web", "method": "shop.Catalog/List", "headers": {"X-Try": "1"}, "abort": {"status": "INTERNAL"}}]'
    )
    plain = chain(f"resolver:{PLAIN[0]}", resolver(PLAIN[0]), PLAIN)
    result = planned(plain, extras={"faults/catalog": fault})
    (route,) = [route for route in result.plan.routes if route.fault]
    assert route.match == Match(
        is_=PathIs.EXACT, path=LIST, headers=(Header(name="x-try", is_=HeaderIs.EXACT, value="1"),)
    )
    assert route.fault == Fault(abort=Abort(status=13), source="gossamer/faults/catalog[0]")
    others = planned(plain, Audience(caller="cli"), extras={"faults/catalog": fault})
    assert [route for route in others.plan.routes if route.fault] == []


def test_a_fault_of_a_method_is_found_among_calls_that_a_regex_matches():
    written = router(
        "catalog", *(({"PathRegex": regex}, {}, f"resolver:{PLAIN[0]}") for regex in ("/other.*", "/shop.*"))
    )
    nodes = {**written, **resolver(PLAIN[0])}
    fault = '[{"method": "shop.Catalog/List", "abort": {"status": "INTERNAL"}}]'
    result = planned(chain("router:catalog", nodes, PLAIN), extras={"faults/catalog": fault})
    (route,) = [route for route in result.plan.routes if route.fault]
    assert (route.match, route.source) == (Match(is_=PathIs.EXACT, path=LIST), "service-router/catalog Routes[1]")


def test_a_method_that_may_be_repeated_is_tried_again_where_a_regex_matches_it():
    first, second, *_ = routed(({"PathRegex": "/shop.*"}, {})).plan.routes
    assert (first.match, first.retry) == (Match(is_=PathIs.EXACT, path=GET), RETRY)
    assert (second.match, second.retry) == (Match(is_=PathIs.REGEX, path="/shop.*"), None)


@pytest.mark.parametrize(
    ("http", "destination", "field"),
    [
        ({"QueryParam": [{"Name": "a"}]}, {}, "Match.HTTP.QueryParam"),
        ({"Methods": ["GET"]}, {}, "Match.HTTP.Methods"),
        ({"CaseInsensitive": True, "PathExact": GET}, {}, "Match.HTTP.CaseInsensitive"),
        ({"PathExact": "/just-one"}, {}, "Match.HTTP.PathExact"),
        ({"PathPrefix": "/a/b/c"}, {}, "Match.HTTP.PathPrefix"),
        ({"PathRegex": "(?=x)"}, {}, "Match.HTTP.PathRegex"),
        ({"PathRegex": "("}, {}, "Match.HTTP.PathRegex"),
        ({"Header": [{"Name": ":method", "Exact": "a"}]}, {}, "Match.HTTP.Header[0].Name"),
        ({"Header": [{"Name": "a-bin", "Exact": "a"}]}, {}, "Match.HTTP.Header[0].Name"),
        ({}, {"PrefixRewrite": "/x"}, "Destination.PrefixRewrite"),
        ({}, {"IdleTimeout": "3s"}, "Destination.IdleTimeout"),
        ({}, {"RequestHeaders": {"Add": {"a": "b"}}}, "Destination.RequestHeaders"),
        ({}, {"ResponseHeaders": {"Remove": ["a"]}}, "Destination.ResponseHeaders"),
        ({}, {"NumRetries": 5, "RetryOn": ["unavailable"]}, "Destination.NumRetries"),
        ({}, {"NumRetries": 1}, "Destination.RetryOn"),
        ({}, {"RetryOn": ["retriable-4xx"]}, "Destination.RetryOn"),
        ({}, {"RetryOnStatusCodes": [404]}, "Destination.RetryOnStatusCodes"),
    ],
)
def test_what_some_client_would_drop_or_ignore_is_refused_by_its_field(http, destination, field):
    result = routed((http, destination))
    assert list(reasons(result)) == [f"service-router/catalog Routes[0].{field}"]
    assert [route.source for route in result.plan.routes] == ["", ""]  # what holds when nothing is written


@pytest.mark.parametrize(
    ("balancer", "field"),
    [
        ({"Policy": "maglev"}, "Policy"),
        ({"Policy": "ring_hash"}, "HashPolicies"),
        ({"Policy": "ring_hash", "HashPolicies": [{"SourceIP": True}]}, "HashPolicies[0]"),
        ({"Policy": "ring_hash", "HashPolicies": [{"Field": "cookie", "FieldValue": "a"}]}, "HashPolicies[0]"),
    ],
)
def test_a_balancer_that_grpc_does_not_have_is_refused(balancer, field):
    result = planned(chain(f"resolver:{PLAIN[0]}", resolver(PLAIN[0], balancer=balancer), PLAIN))
    assert list(reasons(result)) == [f"service-resolver/catalog LoadBalancer.{field}"]


@pytest.mark.parametrize(
    ("key", "text", "subject"),
    [
        ("defaults", "{", "gossamer/defaults"),
        ("defaults", '{"retry": {"times": 9}}', "gossamer/defaults retry.times"),
        ("defaults", '{"zone": "x"}', "gossamer/defaults"),
        ("faults/catalog", '[{"abort": {"status": "OK"}}]', "gossamer/faults/catalog [0].abort.status"),
        ("faults/catalog", '[{"from": "web"}]', "gossamer/faults/catalog [0]"),
    ],
)
def test_json_that_breaks_the_schema_is_refused_by_its_place(key, text, subject):
    result = planned(chain(f"resolver:{PLAIN[0]}", resolver(PLAIN[0]), PLAIN), extras={key: text})
    assert list(reasons(result)) == [subject]


def test_another_datacenter_and_a_protocol_that_is_not_grpc_are_refused():
    far = target("catalog", Datacenter="dc2")
    result = planned(chain(f"resolver:{far[0]}", resolver(far[0]), far, protocol="tcp"))
    assert set(reasons(result)) == {"service-defaults/catalog Protocol", "service-resolver/catalog Failover"}


def test_the_last_good_shape_stays_and_its_instances_stay_true():
    good = planned(chain(f"resolver:{A[0]}", resolver(A[0]), A))
    bad = planned(chain(f"resolver:{B[0]}", resolver(B[0], balancer={"Policy": "maglev"}), B), last_good=good.shape)
    assert bad.plan == good.plan
    assert bad.refusals


def test_a_filter_that_consul_refuses_is_told():
    broken = {("catalog", "v == a"): "400 no such field"}
    result = planned(chain(f"resolver:{A[0]}", resolver(A[0]), A), broken_filters=broken)
    assert reasons(result) == {
        "service-resolver/catalog Subsets[a].Filter": "Consul does not take 'v == a': 400 no such field; "
        "write one that its health API takes, such as Service.Meta.version == v1"
    }


def test_a_chain_that_is_none_is_told_and_ends_nothing():
    result = planned({"Protocol": "grpc", "StartNode": "x", "Nodes": {"x": {"Type": "router"}}})
    assert list(reasons(result)) == ["discovery chain of catalog"]
    assert clusters(result) == {"catalog": [[1, 2]]}


def test_a_chain_that_consul_can_not_compile_stays_what_it_was_and_the_reason_is_told():
    kept = chain(f"resolver:{B[0]}", resolver(B[0]), B)
    result = planned(kept, broken_chains={"catalog": "detected circular resolver redirect"})
    assert result.plan.routes[-1].to == (Share(cluster="catalog/b"),)
    reason = "Consul can't compile it: detected circular resolver redirect"
    assert reasons(result) == {"discovery chain of catalog": reason}


def test_a_chain_that_consul_could_never_compile_leaves_the_last_good_policy():
    services = [Service.of("catalog", [Instance(id="1", host="10.0.0.1", port=1)])]
    last_good = planned(chain(f"resolver:{B[0]}", resolver(B[0]), B)).shape
    broken = Mesh.of(services, Entries(broken_chains={"catalog": "circular"}, selected=SELECTED))
    assert plan("catalog", broken, CONTRACTS, CALLER, last_good).plan.routes[-1].to == (Share(cluster="catalog/b"),)
    result = plan("catalog", broken, CONTRACTS, CALLER)
    assert result.plan.routes[-1].to == (Share(cluster="catalog"),)
    assert reasons(result) == {"discovery chain of catalog": "Consul can't compile it: circular"}
