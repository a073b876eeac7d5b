"""Row foreign of the kit contract: programs of the same language that know no kit can call, and can be called.

Their command `serve` prints its address, and `call ADDRESS` who answered.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conformance.mesh import Probes
from conformance.programs import foreign
from harness.probe import Language, Probe

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("foreign")

WITHIN = 20.0


def _command(language: Language, programs: Path) -> tuple[str, ...]:
    if language.missing:
        pytest.skip(f"{language.name}: this machine has no {language.missing}")
    return foreign(language, programs)


@asynccontextmanager
async def _running(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_client_without_the_kit_can_call(language: Language, probe: Probe, programs: Path) -> None:
    command = _command(language, programs)
    async with asyncio.timeout(WITHIN), _running(*command, "call", probe.address) as client:
        output, _ = await client.communicate()
    assert output.decode().strip() == probe.instance


async def test_a_server_without_the_kit_can_be_called(language: Language, probes: Probes, programs: Path) -> None:
    command = _command(language, programs)
    async with _running(*command, "serve") as server:
        assert server.stdout
        async with asyncio.timeout(WITHIN):
            address = (await server.stdout.readline()).decode().strip()
        probe = await probes.start(language, GOSSAMER_DISCOVERY=f"static:foreign={address}")
        answer = await probe.stub.Relay(pb.RelayRequest(services=["foreign"]), timeout=10)
    assert answer.hops[1].instance == "foreign"
