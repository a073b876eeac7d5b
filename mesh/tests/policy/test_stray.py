"""What is wrong with entries is told also while nobody is there whom they are for."""

from gossamer_mesh.control.planning import ANYONE, Planning
from gossamer_mesh.model import Audience, Entries, Instance, Mesh, Service
from gossamer_mesh.policy import Contracts
from gossamer_mesh.policy.stray import NOT_READ, stray

PENDING = {"Limits": {"MaxPendingRequests": 1}}
WRONG = {"UpstreamConfig": {"Defaults": PENDING, "Overrides": [{"Name": "tax"}, {"Name": "catalog", **PENDING}]}}
REASON = "gRPC clients have one connection an instance: write MaxConcurrentRequests"


def test_the_limits_of_a_caller_are_told_by_their_fields():
    assert stray(Entries(defaults={"web": WRONG, "cart": {"Protocol": "grpc"}})) == {
        ("web", "service-defaults/web UpstreamConfig.Defaults.Limits.MaxPendingRequests", REASON),
        ("web", "service-defaults/web UpstreamConfig.Overrides[1].Limits.MaxPendingRequests", REASON),
    }


def test_a_key_that_nobody_reads_is_told():
    keys = ["defaults", "defaults/catalog", "faults/catalog", "default", "faults", "faults/", "fault/catalog"]
    broken = {"policy": "no text"}
    found = stray(Entries(extras=dict.fromkeys(keys, "{}"), broken_extras=broken))
    subjects = {f"gossamer/{key}" for key in ("default", "faults", "faults/", "fault/catalog", "policy")}
    assert found == {("", subject, NOT_READ) for subject in subjects}


def test_limits_that_are_none_are_told_and_end_nothing():
    (refusal,) = stray(
        Entries(defaults={"web": {"UpstreamConfig": []}, "cart": {"UpstreamConfig": {"Overrides": [1]}}})
    )
    assert refusal.subject == "service-defaults/cart"


def test_nothing_is_told_twice():
    mesh = Mesh.of([Service.of("tax", [Instance(id="t", host="10.0.0.1", port=1)])], Entries(defaults={"web": WRONG}))
    planning = Planning()
    planning.read(mesh)
    list(planning.plan(mesh, Contracts()))
    planning.begin(ANYONE)
    assert len(planning.refusals) == 2
    planning.begin(Audience(caller="web"))
    assert {(each.service, each.subject.split()[-1]) for each in planning.refusals} == {
        ("tax", "UpstreamConfig.Defaults.Limits.MaxPendingRequests"),
        ("web", "UpstreamConfig.Overrides[1].Limits.MaxPendingRequests"),
    }
