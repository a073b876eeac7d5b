"""Rows drain and crash of the kit contract: instances end, in order or not, and callers don't notice."""

import asyncio
import json
import secrets
import signal
import time

import grpc
import pytest
from conformance.mesh import Mesh, Probes, until
from conformance.peers import Load, caller_of
from conformance.waits import until_waiting, wait
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("drain")

RATE = 300.0
HELD = 0.2
"""Seconds that a call takes which waits: some are always running."""
WARM = 600
"""Calls that must have ended well before anything is ended."""
AFTERWARDS = 1200
"""Calls from then on: more than are made until the instance has gone."""


async def _two(language: Language, probes: Probes, **changes: str) -> tuple[Probe, Probe]:
    service = f"pair-{secrets.token_hex(3)}"
    one, other = await asyncio.gather(*(probes.start(language, service, **changes) for _ in range(2)))
    return one, other


async def _calls_to_both(load: Load, service: str, warm: int = WARM) -> None:
    async def both() -> bool:
        return len(load.answered_by) == 2

    await until(both, f"answers of both instances of {service}")
    await load.until(load.ended.total() + warm)


@pytest.mark.parametrize(("number", "harmless"), [(signal.SIGTERM, True), (signal.SIGKILL, False)])
async def test_under_load_without_retries_a_drain_fails_no_call(
    language: Language, probes: Probes, number: signal.Signals, harmless: bool
) -> None:
    """SIGKILL is the control: without a drain some of the same calls fail."""
    one, _ = await _two(language, probes)
    channel, stub = caller_of(one.service, enable_retries=0)
    async with channel, Load(lambda: stub.Wait(wait(HELD), timeout=10), RATE) as load:
        await _calls_to_both(load, one.service)
        status = await one.end(number)
        await load.until(load.ended.total() + AFTERWARDS)
    assert (load.failed == {}) is harmless, load.failed
    assert status == (0 if harmless else -signal.SIGKILL)


async def test_a_drained_instance_is_in_maintenance_and_then_gone(
    language: Language, mesh: Mesh, probes: Probes
) -> None:
    probe = await probes.start(language)
    held = asyncio.ensure_future(_hold(probe, seconds=3))
    await until_waiting(probe, "held")
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(probe.end())

        async def maintained() -> bool:
            checks = await mesh.consul.get(f"/v1/health/checks/{probe.service}")
            return any(check["CheckID"].startswith("_service_maintenance") for check in checks)

        await until(maintained, "maintenance")
    assert (await held, ending.result()) == (grpc.StatusCode.OK, 0)
    assert await mesh.consul.instances(probe.service, passing=False) == []


async def test_a_draining_instance_still_takes_calls(language: Language, probes: Probes, mesh: Mesh) -> None:
    probe = await probes.start(language)
    await probe.stub.Echo(pb.EchoRequest(), timeout=5)
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(probe.end())

        async def maintained() -> bool:
            return await mesh.consul.instances(probe.service) == []

        await until(maintained, "maintenance")
        answer = await probe.stub.Echo(pb.EchoRequest(), timeout=5)
    assert (answer.hop.instance, ending.result()) == (probe.instance, 0)


async def test_running_calls_get_what_is_left_of_the_drain(language: Language, probes: Probes) -> None:
    probe = await probes.start(language, GOSSAMER_DRAIN="3s")
    short = asyncio.ensure_future(_hold(probe, seconds=2))
    endless = asyncio.ensure_future(_hold(probe, seconds=60))
    await until_waiting(probe, "held", 2)
    begin = time.monotonic()
    assert await probe.end() == 0
    assert await short == grpc.StatusCode.OK
    assert await endless in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert 2.5 < time.monotonic() - begin < 6


async def test_a_second_signal_skips_the_wait(language: Language, probes: Probes) -> None:
    probe = await probes.start(language, GOSSAMER_DRAIN="30s")
    held = asyncio.ensure_future(_hold(probe, seconds=60))
    await until_waiting(probe, "held")
    begin = time.monotonic()
    probe.child.send(signal.SIGTERM)

    async def draining() -> bool:
        return any(line["message"] == "draining" for line in probe.child.lines())

    await until(draining, "the drain")
    assert await probe.end(signal.SIGINT) == 0
    assert time.monotonic() - begin < 10
    assert await held != grpc.StatusCode.OK


async def test_a_handler_that_ignores_its_cancellation_does_not_keep_an_instance_alive(
    language: Language, mesh: Mesh, probes: Probes
) -> None:
    probe = await probes.start(language, GOSSAMER_DRAIN="2s")
    held = asyncio.ensure_future(_hold(probe, seconds=600, ignore_cancellation=True))
    await until_waiting(probe, "held")
    begin = time.monotonic()
    assert await probe.end() == 0
    assert time.monotonic() - begin < 15
    assert await held != grpc.StatusCode.OK
    assert await mesh.consul.instances(probe.service, passing=False) == []


async def test_a_drain_ends_while_the_control_plane_is_away(language: Language, probes: Probes) -> None:
    """Nobody answers at its address: the drain waits 5 seconds for it, and 1 second more."""
    bootstrap = json.dumps({
        "xds_servers": [{"server_uri": "127.0.0.1:1", "channel_creds": [{"type": "insecure"}]}],
        "node": {"id": "test", "locality": {"zone": "local"}},
    })  # fmt: skip
    probe = await probes.start(language, GRPC_XDS_BOOTSTRAP_CONFIG=bootstrap)
    begin = time.monotonic()
    assert await probe.end() == 0
    assert 5.5 < time.monotonic() - begin < 9


async def test_a_drain_that_no_client_waits_for_is_quick(language: Language, probes: Probes) -> None:
    probe = await probes.start(language)
    begin = time.monotonic()
    assert await probe.end() == 0
    assert time.monotonic() - begin < 5.5, "it waited for a control plane that has long answered"


@pytest.mark.parametrize("retries", [True, False], ids=["with retries", "without"])
@pytest.mark.row("crash")
async def test_an_instance_killed_under_load_fails_no_idempotent_call(
    language: Language, probes: Probes, retries: bool
) -> None:
    """The control is the same kill without retries: then some of the same calls fail."""
    one, other = await _two(language, probes)
    channel, stub = caller_of(one.service, enable_retries=int(retries))
    async with channel, Load(lambda: stub.Echo(pb.EchoRequest(), timeout=10), RATE) as load:
        await _calls_to_both(load, one.service)
        await _freeze_with_calls_on_their_way(one, load)
        await one.end(signal.SIGKILL)
        await load.until(load.ended.total() + AFTERWARDS)
    assert (load.failed == {}) is retries, load.said
    assert other.child.status is None


@pytest.mark.parametrize(
    ("number", "method"),
    [(signal.SIGTERM, pb.CALL_METHOD_WAIT), (signal.SIGKILL, pb.CALL_METHOD_ECHO)],
    ids=["drained", "killed, idempotent"],
)
async def test_an_instance_ends_under_load_of_each_kit_as_caller(
    caller: Language, callee: Language, probes: Probes, number: signal.Signals, method: int
) -> None:
    load, front = await _ended_under_load(caller, callee, probes, number, method)
    assert load.failed == {}, [line for line in front.child.lines() if line["level"] == "error"][:5]


@pytest.mark.row("crash")
async def test_an_instance_killed_under_load_of_a_kit_fails_calls_that_are_not_idempotent(
    language: Language, probes: Probes
) -> None:
    """The control of the test before: what may not be repeated fails with the instance that it is lost in."""
    load, _ = await _ended_under_load(language, language, probes, signal.SIGKILL, pb.CALL_METHOD_WAIT)
    assert load.failed != {}


async def _ended_under_load(
    caller: Language, callee: Language, probes: Probes, number: signal.Signals, method: int
) -> tuple[Load, Probe]:
    """End one of two instances while one of another kit calls both; give how its calls ended, and the caller."""
    one, other = await _two(callee, probes)
    front = await probes.start(caller)
    request = pb.CallRequest(service=one.service, method=method, wait=wait(HELD))
    async with Load(lambda: front.stub.Call(request, timeout=10), RATE / 3) as load:
        await _calls_to_both(load, one.service, WARM // 3)
        if number == signal.SIGKILL:
            await _freeze_with_calls_on_their_way(one, load)
        await one.end(number)
        await load.until(load.ended.total() + AFTERWARDS / 3)
    assert other.child.status is None
    return load, front


async def _freeze_with_calls_on_their_way(probe: Probe, load: Load) -> None:
    """Stop an instance, so that calls have reached it without an answer when it dies.

    It is stopped while it has nothing to answer: what it leaves half given is not asked for again, as gRFC A6 has it
    (a call is committed once its answer has begun), and Node sends an answer's status on a later turn than its message.
    """
    async with load.held():
        probe.child.send(signal.SIGSTOP)
    await asyncio.sleep(0.2)


async def _hold(probe: Probe, seconds: float, *, ignore_cancellation: bool = False) -> grpc.StatusCode:
    request = wait(seconds, "held", ignore_cancellation=ignore_cancellation)
    code: grpc.StatusCode = await probe.stub.Wait(request, timeout=seconds + 30).code()
    return code
