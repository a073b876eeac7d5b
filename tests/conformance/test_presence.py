"""Rows health, reflection, join and rejoin of the kit contract: how an instance shows that it is there."""

import asyncio
from pathlib import Path

import grpc
import pytest
from conformance.mesh import Mesh, Probes, until
from conformance.peers import RecordingAgent
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from harness.consul import Consul
from harness.probe import Language, Probe, channel

from gossamer_mesh.local.parts import have

pytestmark = pytest.mark.row("health")

CONTRACT = "gossamer.probe.v1.ProbeService"
SERVED = {
    CONTRACT,
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
REJOIN_WITHIN = 5.0


@pytest.mark.parametrize("name", ["", CONTRACT])
async def test_a_joined_instance_is_healthy_under_each_name(probe: Probe, name: str) -> None:
    async with channel(probe.address) as open_channel:
        health = health_pb2_grpc.HealthStub(open_channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", ["", CONTRACT])
async def test_an_instance_is_not_healthy_until_it_joins(
    language: Language, mesh: Mesh, probes: Probes, name: str
) -> None:
    """It serves for a while before it does, and is watched all along."""
    probe = await probes.start(language, joined=False, PROBE_JOIN_AFTER="3")
    async with channel(probe.address) as open_channel:
        watch = health_pb2_grpc.HealthStub(open_channel).Watch(health_pb2.HealthCheckRequest(service=name), timeout=20)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await mesh.consul.instances(probe.service, passing=False) == []
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


async def test_an_unknown_name_is_not_found_when_checked(probe: Probe) -> None:
    async with channel(probe.address) as open_channel:
        call = health_pb2_grpc.HealthStub(open_channel).Check(health_pb2.HealthCheckRequest(service="who"), timeout=5)
        assert await call.code() == grpc.StatusCode.NOT_FOUND


async def test_an_unknown_name_is_unknown_when_watched(probe: Probe) -> None:
    async with channel(probe.address) as open_channel:
        watch = health_pb2_grpc.HealthStub(open_channel).Watch(health_pb2.HealthCheckRequest(service="who"), timeout=5)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()


@pytest.mark.parametrize("name", ["", CONTRACT])
async def test_a_watch_sees_the_drain_begin_and_is_then_ended(language: Language, probes: Probes, name: str) -> None:
    probe = await probes.start(language)
    async with channel(probe.address) as open_channel:
        watch = health_pb2_grpc.HealthStub(open_channel).Watch(health_pb2.HealthCheckRequest(service=name), timeout=20)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        ended = asyncio.ensure_future(probe.end())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await watch.code() == grpc.StatusCode.UNAVAILABLE
        assert await ended == 0


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.row("reflection")
async def test_reflection_lists_all_that_is_served(probe: Probe, version: str) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = await _reflect(probe, version, request)
    assert {service.name for service in answer.list_services_response.service} == SERVED


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.row("reflection")
async def test_reflection_gives_a_contract_with_all_it_needs(probe: Probe, version: str) -> None:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=CONTRACT)
    answer = await _reflect(probe, version, request)
    files = b"".join(answer.file_descriptor_response.file_descriptor_proto)
    assert b"gossamer/probe/v1/probe.proto" in files


async def _reflect(
    probe: Probe, version: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    async with channel(probe.address) as open_channel:
        info = open_channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        return next(iter([answer async for answer in info(iter([request]), timeout=5)]))


@pytest.mark.parametrize(
    ("method", "request_", "answer"),
    [
        (f"{CONTRACT}/Count", '{"to": 2}', b'{"number":1}{"number":2}'),
        ("grpc.health.v1.Health/Check", "{}", b'{"status":"SERVING"}'),
    ],
)
@pytest.mark.row("reflection")
async def test_grpcurl_calls_by_reflection_alone(probe: Probe, method: str, request_: str, answer: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        str(have("grpcurl")), "-plaintext", "-d", request_, probe.address, method, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert b"".join(output.split()) == answer


@pytest.mark.row("join")
async def test_consul_knows_the_instance_and_checks_it(probe: Probe, mesh: Mesh) -> None:
    [entry] = await mesh.consul.get(f"/v1/health/service/{probe.service}")
    service = entry["Service"]
    assert f"{service['Address']}:{service['Port']}" == probe.address
    assert service["ID"] == probe.instance
    assert service["Meta"] == {"version": "dev", "zone": "local", "language": probe.language, "contracts": CONTRACT}
    [check] = [check for check in entry["Checks"] if check["ServiceID"] == probe.instance]
    assert check["Type"] == "grpc"
    assert (check["Interval"], check["Timeout"]) == ("1s", "3s")


@pytest.mark.row("join")
async def test_consul_is_told_to_remove_an_instance_that_stays_critical_for_a_minute(
    language: Language, probes: Probes
) -> None:
    async with RecordingAgent() as agent:
        await probes.start(language, joined=False, CONSUL_HTTP_ADDR=agent.address)
        async with asyncio.timeout(10):
            told = await agent.registered
    [check] = told.get("checks") or [told["check"]]
    assert check["deregistercriticalserviceafter"] in ("1m", "1m0s", "60s")
    assert check["status"] == "passing", "it serves already, and a check begins critical otherwise"


@pytest.mark.row("join")
async def test_labels_reach_consul(language: Language, mesh: Mesh, probes: Probes) -> None:
    probe = await probes.start(language, GOSSAMER_VERSION="v2", GOSSAMER_ZONE="z1", GOSSAMER_ADVERTISE="127.0.0.1")
    [entry] = await mesh.consul.get(f"/v1/catalog/service/{probe.service}")
    assert (entry["ServiceMeta"]["version"], entry["ServiceMeta"]["zone"]) == ("v2", "z1")


@pytest.mark.row("join")
async def test_a_stale_registration_of_the_same_instance_is_replaced(
    language: Language, mesh: Mesh, probes: Probes
) -> None:
    await mesh.consul.register("replaced", f"replaced-{language.name}", "127.0.0.1:1", status="critical")
    probe = await probes.start(language, "replaced", f"replaced-{language.name}")
    [entry] = [
        entry for entry in await mesh.consul.get("/v1/catalog/service/replaced") if entry["ServiceID"] == probe.instance
    ]
    assert f"{entry['ServiceAddress']}:{entry['ServicePort']}" == probe.address


@pytest.mark.row("join")
async def test_an_instance_waits_for_a_consul_that_comes_late(
    language: Language, probes: Probes, tmp_path: Path
) -> None:
    consul = Consul(tmp_path / "consul")
    probe = await probes.start(language, joined=False, CONSUL_HTTP_ADDR=consul.address)
    async with consul:
        await until(lambda: consul.instances(probe.service), "the instance in Consul", REJOIN_WITHIN)


@pytest.mark.row("rejoin")
async def test_an_emptied_consul_knows_the_instance_again_within_5_seconds(
    language: Language, probes: Probes, tmp_path: Path
) -> None:
    async with Consul(tmp_path / "consul") as consul:
        probe = await probes.start(language, joined=False, CONSUL_HTTP_ADDR=consul.address)
        await until(lambda: consul.instances(probe.service), "the instance in Consul")
        await consul.restart(empty=True)
        await until(lambda: consul.instances(probe.service), "the instance in Consul again", REJOIN_WITHIN)
        assert probe.child.status is None, "without a restart of the instance"


@pytest.mark.row("rejoin")
async def test_without_an_empty_consul_there_is_nothing_to_rejoin(
    language: Language, probes: Probes, tmp_path: Path
) -> None:
    """The control of the test above: an instance that was killed does not come back by itself."""
    async with Consul(tmp_path / "consul") as consul:
        probe = await probes.start(language, joined=False, CONSUL_HTTP_ADDR=consul.address)
        await until(lambda: consul.instances(probe.service), "the instance in Consul")
        await probe.end(9)
        await consul.restart(empty=True)
        with pytest.raises(AssertionError):
            await until(lambda: consul.instances(probe.service), "nothing", 2)
