"""gossamer.mesh.v1.TrafficService: what people ask for is written to a real Consul, read back, and obeyed by a client.

Every test has a service of its own in one Consul and one control plane. Instances are registered, but only those that a
test calls are there.
"""

import asyncio
import json
from contextlib import asynccontextmanager

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status
from harness.client import Client
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import CONTRACT, Instance

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer_mesh.control.plane import ControlPlane as Plane
from gossamer_mesh.control.settings import Settings
from gossamer_mesh.discovery import MemorySource
from gossamer_mesh.local.parts import have

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN = 20.0
ABORT = pb.Fault(abort_status="PERMISSION_DENIED", abort_percent=100)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    async with Consul(tmp_path_factory.mktemp("consul")) as consul:
        await consul.speak_grpc()
        yield consul


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control(consul, tmp_path_factory):
    options = ("--consul-program", str(have("consul")))
    async with ControlPlane(tmp_path_factory.mktemp("control"), consul.url, *options) as control:
        yield control


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(control):
    async with grpc.aio.insecure_channel(control.address) as channel:
        yield TrafficServiceStub(channel)


@pytest_asyncio.fixture(loop_scope="module")
async def service(request, consul, api):
    """Register a service named after the test, with an instance of v1 and one of v2."""
    name = request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:40].strip("-")
    await register(consul, name, "v1")
    await register(consul, name, "v2", "127.0.0.1:10")
    await until_known(api, name, 2)
    return name


async def register(consul, name, version, address="127.0.0.1:9", id_=""):
    """Register an instance that nobody looks at."""
    meta = {"version": version}
    id_ = id_ or f"{name}-{version}"
    await consul.register(name, id_, address, contracts=[CONTRACT], meta=meta, interval="1h")


async def until_known(api, name, instances):
    async with asyncio.timeout(WITHIN):
        while not await knows(api, name, instances):
            await asyncio.sleep(0.02)


async def knows(api, name, instances):
    try:
        found = await policy(api, name)
    except grpc.aio.AioRpcError:
        return False
    return sum(each.instances for each in found.routes[-1].destinations) == instances


async def policy(api, name, **who):
    return (await api.GetPolicy(pb.GetPolicyRequest(service=name, **who), timeout=WITHIN)).policy


async def split(api, name, *, force=False, **weights):
    shares = [pb.SplitShare(version=version, weight=weight) for version, weight in weights.items()]
    return await api.SetSplit(pb.SetSplitRequest(service=name, shares=shares, force=force), timeout=WITHIN)


async def fault(api, name, fault=ABORT, **more):
    return await api.SetFault(pb.SetFaultRequest(service=name, fault=fault, **more), timeout=WITHIN)


def destinations(policy):
    """Where calls go that no other route takes."""
    return {each.subset or each.service: each.weight for each in policy.routes[-1].destinations}


@asynccontextmanager
async def refused(code, reason):
    """Expect a call to be refused, and give what it is refused with once it is."""
    told = {}
    with pytest.raises(grpc.aio.AioRpcError) as error:
        yield told
    told["message"] = error.value.details()
    assert error.value.code() is code, told
    for detail in rpc_status.from_call(error.value).details:
        for kind in (ErrorInfo, BadRequest):
            if detail.Is(kind.DESCRIPTOR):
                told[kind] = kind.FromString(detail.value)
    assert told[ErrorInfo].reason == reason


FAILED, INVALID, MISSING = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
)


async def test_a_split_is_obeyed_by_a_client_and_taken_back(consul, control, api, tmp_path):
    async with Instance("a") as a, Instance("b") as b, Client(control.bootstrap(), tmp_path / "log") as client:
        for each in (a, b):
            await register(consul, "obeyed", each.name, each.address)
        await client.until("obeyed", "ab")
        answer = await split(api, "obeyed", a=100, b=0)
        assert destinations(answer.policy) == {"a": 10_000}
        assert answer.written == ["service-resolver/obeyed", "service-splitter/obeyed"]
        await client.until("obeyed", "a")
        cleared = await api.ClearSplit(pb.ClearSplitRequest(service="obeyed"), timeout=WITHIN)
        assert cleared.written == ["service-splitter/obeyed", "service-resolver/obeyed"]
        assert destinations(cleared.policy) == {"obeyed": 10_000}
        await client.until("obeyed", "ab")


async def test_a_split_that_is_taken_back_leaves_nothing(consul, api, service):
    before = await policy(api, service)
    await split(api, service, v1=90, v2=10)
    assert await policy(api, service) != before
    await api.ClearSplit(pb.ClearSplitRequest(service=service), timeout=WITHIN)
    assert await policy(api, service) == before
    for kind in ("service-resolver", "service-splitter"):
        assert service not in {entry["Name"] for entry in await consul.get(f"/v1/config/{kind}")}


async def test_a_policy_says_which_entry_says_so_and_whom_it_reaches(api, service):
    found = (await split(api, service, v1=99.99, v2=0.01)).policy
    assert [(each.subset, each.weight, each.instances) for each in found.routes[-1].destinations] == [
        ("v1", 9999, 1),
        ("v2", 1, 1),
    ]
    assert found.routes[-1].source == f"service-splitter/{service}"
    assert [route.match.path for route in found.routes][-1:] == [""]
    retried = next(route for route in found.routes if route.match.path == f"/{CONTRACT}/Echo")
    assert (list(retried.retry.statuses), retried.retry.times) == (["UNAVAILABLE"], 3)


async def test_a_version_that_no_instance_has_gets_no_calls_unless_that_is_asked_for(api, service):
    async with refused(FAILED, "VERSION_NOT_CALLED") as told:
        await split(api, service, v1=90, v3=10)
    assert told["message"].startswith(f"10 % of the calls of {service} would fail")
    assert "there are: v1, v2" in told["message"]
    assert destinations(await policy(api, service)) == {service: 10_000}
    assert destinations((await split(api, service, v1=90, v3=10, force=True)).policy) == {"v1": 9000, "v3": 1000}


NAMES = {"dots": "1.4.2", "quote": 'a"b', "all-quotes": "c\\d`'", "filter": 'x" or Service.ID != "', "line": "ünï\n"}


@pytest.mark.parametrize("name", NAMES)
async def test_a_version_may_have_any_name(consul, api, name):
    """Its filter selects just its instance, as Consul sees it."""
    version = NAMES[name]
    await register(consul, name, "v1")
    await register(consul, name, version, "127.0.0.1:10", id_=f"{name}-x")
    await until_known(api, name, 2)
    shares = [pb.SplitShare(version=version, weight=100)]
    answer = await api.SetSplit(pb.SetSplitRequest(service=name, shares=shares), timeout=WITHIN)
    (destination,) = answer.policy.routes[-1].destinations
    assert destination.instances == 1


async def test_what_others_wrote_is_changed_only_when_that_is_asked_for(consul, api, service):
    """Written as `consul config write` writes it."""
    subsets = {"v1": {"Filter": "Service.Meta.version == v1"}}
    resolver = {"Kind": "service-resolver", "Name": service, "ConnectTimeout": "3s", "Subsets": subsets}
    await consul.put("/v1/config", resolver)
    await consul.put(
        "/v1/config", {"Kind": "service-splitter", "Name": service, "Splits": [{"Weight": 100, "ServiceSubset": "v1"}]}
    )
    async with asyncio.timeout(WITHIN):
        while destinations(await policy(api, service)) != {"v1": 10_000}:
            await asyncio.sleep(0.02)
    names = f"service-resolver/{service} service-splitter/{service}"
    async with refused(FAILED, "ENTRY_OF_OTHERS") as told:
        await split(api, service, v1=50, v2=50)
    assert told[ErrorInfo].metadata["entries"] == names
    assert "--force" in told["message"]
    async with refused(FAILED, "ENTRY_OF_OTHERS"):
        await api.ClearSplit(pb.ClearSplitRequest(service=service), timeout=WITHIN)
    assert destinations((await split(api, service, v1=50, v2=50, force=True)).policy) == {"v1": 5000, "v2": 5000}
    await api.ClearSplit(pb.ClearSplitRequest(service=service), timeout=WITHIN)
    left = await consul.get(f"/v1/config/service-resolver/{service}")
    assert (left["Subsets"], left["ConnectTimeout"], left.get("Meta")) == (subsets, "3s", None)


async def test_a_fault_is_obeyed_by_a_client_and_taken_back(consul, control, api, tmp_path):
    async with Instance("a") as a, Client(control.bootstrap(), tmp_path / "log") as client:
        await register(consul, "faulty", "v1", a.address)
        await client.until("faulty", "a")
        answer = await fault(api, "faulty")
        assert answer.written == ["gossamer/faults/faulty"]
        assert answer.policy.routes[0].fault == ABORT
        await client.until("faulty", ["!PERMISSION_DENIED"])
        await api.ClearFaults(pb.ClearFaultsRequest(service="faulty"), timeout=WITHIN)
        await client.until("faulty", "a")


async def test_faults_are_by_scope_and_shown_as_they_are_written(api, service):
    await fault(api, service, method="Echo", headers={"x-tenant": "a b"})
    await fault(api, service, pb.Fault(delay=Duration(nanos=1_500_000), delay_percent=2.5), caller="orders")
    answer = await fault(api, service, pb.Fault(abort_status="ABORTED", abort_percent=1), caller="orders")
    assert answer.policy.faults == [
        pb.WrittenFault(
            method=f"{CONTRACT}/Echo",
            headers={"x-tenant": "a b"},
            fault=ABORT,
            source=f"gossamer/faults/{service}[0]",
        ),
        pb.WrittenFault(
            caller="orders",
            fault=pb.Fault(abort_status="ABORTED", abort_percent=1),
            source=f"gossamer/faults/{service}[1]",
        ),
    ]
    assert [route.fault.abort_status for route in (await policy(api, service, caller="orders")).routes if route.fault]
    assert (await policy(api, service)).routes[-1].fault == pb.Fault()
    await api.ClearFaults(pb.ClearFaultsRequest(service=service), timeout=WITHIN)
    assert list((await policy(api, service)).faults) == []


async def test_a_fault_of_others_is_changed_only_when_that_is_asked_for(consul, api, service):
    theirs = [{"from": "web", "abort": {"status": "ABORTED"}}]
    await consul.put(f"/v1/kv/gossamer/faults/{service}", theirs)
    async with refused(FAILED, "ENTRY_OF_OTHERS"):
        await fault(api, service)
    async with refused(FAILED, "ENTRY_OF_OTHERS"):
        await api.ClearFaults(pb.ClearFaultsRequest(service=service), timeout=WITHIN)
    assert [each.caller for each in (await fault(api, service, force=True)).policy.faults] == ["web", ""]
    await api.ClearFaults(pb.ClearFaultsRequest(service=service, force=True), timeout=WITHIN)


async def test_a_typo_is_refused_with_what_was_meant(api, service):
    async with refused(INVALID, "INVALID_REQUEST") as told:
        await fault(api, service, method=f"{CONTRACT}/Ehco")
    assert [each.field for each in told[BadRequest].field_violations] == ["method"]
    assert f"did you mean {CONTRACT}/Echo?" in told["message"]
    async with refused(MISSING, "SERVICE_UNKNOWN") as told:
        await split(api, service[:-1], v1=100)
    assert f"did you mean {service}?" in told["message"]


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("service", pb.SetSplitRequest(service="../kv/x", shares=[pb.SplitShare(version="v1", weight=100)])),
        ("shares[0].weight", pb.SetSplitRequest(service="s", shares=[pb.SplitShare(version="v1", weight=101)])),
        (
            "shares[0].weight",
            pb.SetSplitRequest(service="s", shares=[pb.SplitShare(version="v1", weight=float("nan"))]),
        ),
        ("shares", pb.SetSplitRequest(service="s")),
        ("shares", pb.SetSplitRequest(service="s", force=True, shares=[pb.SplitShare(version="v1", weight=99)])),
        ("fault", pb.SetFaultRequest(service="s")),
        ("fault", pb.SetFaultRequest(service="s", force=True, fault=pb.Fault(abort_percent=10))),
        ("fault.abort_status", pb.SetFaultRequest(service="s", fault=pb.Fault(abort_status="OK"))),
        ("headers", pb.SetFaultRequest(service="s", force=True, fault=ABORT, headers={"x-bin": "1"})),
        ('headers["X"]', pb.SetFaultRequest(service="s", fault=ABORT, headers={"X": "1"})),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_field(api, field, request_):
    call = api.SetSplit if isinstance(request_, pb.SetSplitRequest) else api.SetFault
    async with refused(INVALID, "INVALID_REQUEST") as told:
        await call(request_, timeout=WITHIN)
    assert [each.field for each in told[BadRequest].field_violations] == [field]


async def test_what_consul_does_not_take_is_told_in_its_words_with_what_to_do(consul, api, service):
    await consul.put("/v1/config", {"Kind": "service-defaults", "Name": service, "Protocol": "tcp"})
    async with refused(FAILED, "REFUSED_BY_CONSUL") as told:
        await split(api, service, v1=100)
    assert "does not permit advanced routing" in told["message"]
    assert '"Protocol": "grpc"' in told["message"]


async def test_many_hands_at_once_lose_nothing(api, service):
    await asyncio.gather(*(fault(api, service, caller=f"c{number}") for number in range(4)))
    assert {each.caller for each in (await policy(api, service)).faults} == {"c0", "c1", "c2", "c3"}


async def test_policies_and_refusals_are_listed_in_pages(consul, api, service):
    await fault(api, service)
    await consul.put(f"/v1/kv/gossamer/faults/{service}-2", [{}])
    request = pb.ListPoliciesRequest(page_size=1)
    async with asyncio.timeout(WITHIN):
        while not (refusals := await listed(api.ListRefusals, pb.ListRefusalsRequest(), "refusals", f"{service}-2")):
            await asyncio.sleep(0.02)
    assert [each.subject for each in refusals] == [f"gossamer/faults/{service}-2 [0]"]
    assert len(await listed(api.ListPolicies, request, "policies", service)) == 1
    assert len(await listed(api.ListPolicies, request, "policies", f"{service}-2")) == 1
    await consul.delete(f"/v1/kv/gossamer/faults/{service}-2")


async def listed(call, request, field, service):
    """List page by page, and give what is of a service."""
    found, request = [], type(request).FromString(request.SerializeToString())
    while True:
        page = await call(request, timeout=WITHIN)
        found += getattr(page, field)
        request.page_token = page.next_page_token
        if not request.page_token:
            return [each for each in found if each.service == service]


async def test_files_are_checked_with_what_is_there_and_change_nothing(consul, api, service):
    await split(api, service, v1=100)
    files = [
        {"Kind": "service-router", "Name": service, "Routes": [{"Destination": {"ServiceSubset": "v9"}}]},
        {"Kind": "service-router", "Name": service, "Routes": [{"Destination": {"ServiceSubset": "v1"}}]},
        {
            "Kind": "service-defaults",
            "Name": service,
            "Protocol": "grpc",
            "UpstreamConfig": {"Defaults": {"Limits": {"MaxConnections": 1}}},
        },
    ]
    request = pb.CheckEntriesRequest(
        files=[pb.EntryFile(name=f"{number}.json", text=json.dumps(each)) for number, each in enumerate(files)]
    )
    found = (await api.CheckEntries(request, timeout=60)).findings
    assert [(each.file, each.subject) for each in found] == [
        ("0.json", f"service-router/{service}"),
        ("2.json", f"service-defaults/{service} UpstreamConfig.Defaults.Limits.MaxConnections"),
    ]
    assert f'service "{service}" does not have a subset named "v9"' in found[0].reason
    assert service not in {entry["Name"] for entry in await consul.get("/v1/config/service-router") or ()}


async def test_a_mesh_that_is_not_read_from_consul_can_t_be_written():
    async with (
        Plane(Settings(listen="127.0.0.1:0"), MemorySource()) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        api = TrafficServiceStub(channel)
        async with refused(FAILED, "MESH_OF_A_FILE"):
            await split(api, "catalog", v1=100)
        async with refused(grpc.StatusCode.UNAVAILABLE, "MESH_NOT_READ"):
            await policy(api, "catalog")
