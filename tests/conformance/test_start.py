"""Rows config and announce of the kit contract: what an instance does before anyone calls it."""

import json

import pytest
from conformance.conftest import LANGUAGES
from conformance.mesh import Mesh, Probes, until
from conformance.values import BAD, GOOD, rows
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("config")


@pytest.mark.parametrize("bad", rows(BAD), ids=lambda bad: f"{len(bad)} variables")
async def test_every_bad_variable_is_named_in_one_message(
    language: Language, probes: Probes, bad: dict[str, str]
) -> None:
    status, output, errors = await probes.refused(language, OTEL_TRACES_SAMPLER="traceidratio", **bad)
    assert status == 64, (status, errors)
    assert {line.split(":")[0].strip() for line in errors.splitlines() if ": expected " in line} == bad.keys(), errors
    assert "Traceback" not in errors
    assert "goroutine" not in errors
    assert output == "", "nothing was bound, so nothing is announced"


@pytest.mark.parametrize("good", rows(GOOD), ids=lambda good: f"{len(good)} variables")
async def test_every_good_value_is_taken(language: Language, probes: Probes, good: dict[str, str]) -> None:
    """The control of the test above."""
    probe = await probes.start(language, joined=False, **{"CONSUL_HTTP_ADDR": "127.0.0.1:1", **good})
    assert probe.announced["service"] == good.get("GOSSAMER_SERVICE", probe.service)


async def test_listening_on_all_addresses_announces_one_that_is_the_same_for_all(probes: Probes) -> None:
    announced = set()
    for language in LANGUAGES:
        if not language.missing:
            probe = await probes.start(language, GOSSAMER_LISTEN="0.0.0.0:0")
            announced.add(probe.address.rpartition(":")[0])
    assert len(announced) == 1, announced
    assert "0.0.0.0" not in announced


async def test_nothing_is_registered_with_a_bad_configuration(language: Language, mesh: Mesh, probes: Probes) -> None:
    await probes.refused(language, GOSSAMER_DRAIN="never")
    assert await mesh.consul.instances("refused", passing=False) == []


async def test_without_a_name_a_service_does_not_start(language: Language, probes: Probes) -> None:
    status, _, errors = await probes.refused(language, GOSSAMER_SERVICE="")
    assert (status, "GOSSAMER_SERVICE" in errors) == (64, True)


async def test_without_a_control_plane_xds_does_not_start(language: Language, probes: Probes) -> None:
    status, _, errors = await probes.refused(language, GRPC_XDS_BOOTSTRAP_CONFIG="")
    assert (status, "GRPC_XDS_BOOTSTRAP" in errors) == (64, True)


async def test_a_port_in_use_is_one_line_that_names_it(language: Language, probe: Probe, probes: Probes) -> None:
    status, output, errors = await probes.refused(language, GOSSAMER_LISTEN=probe.address)
    assert (status, output) == (1, "")
    assert probe.address in errors
    assert len(errors.splitlines()) == 1, errors


@pytest.mark.row("announce")
async def test_the_announcement_says_who_serves_what_where(probe: Probe) -> None:
    line = probe.announced
    assert {name: line[name] for name in ("level", "service", "instance", "message", "contracts")} == {
        "level": "info",
        "service": probe.service,
        "instance": probe.instance,
        "message": "announce",
        "contracts": ["gossamer.probe.v1.ProbeService"],
    }
    answer = await probe.stub.Echo(pb.EchoRequest(payload=b"found"), timeout=5)
    assert answer.payload == b"found"


@pytest.mark.row("announce")
async def test_every_log_line_is_json_with_who_and_what(probe: Probe) -> None:
    lines = [json.loads(line) for line in probe.child.errors().splitlines()]
    assert lines, "joining is logged"
    for line in lines:
        assert {"time", "level", "service", "instance", "message"} <= line.keys()
        assert (line["service"], line["instance"]) == (probe.service, probe.instance)


@pytest.mark.row("announce")
async def test_a_log_line_of_a_call_names_its_trace(probe: Probe) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
    call = probe.stub.Fail(pb.FailRequest(mode=pb.FAIL_MODE_UNEXPECTED), metadata=sent, timeout=5)
    await call.code()

    async def logged() -> bool:
        return any(line.get("trace_id") == trace and line["level"] == "error" for line in probe.child.lines())

    await until(logged, "an error that names the trace")
