"""What callers of each kit notice of kill -9: of calls that may be made again.

An instance of each kit's probe calls two services at a steady rate, of three instances each: one with the retries that
the mesh has by default, the other, which is the control, with retries off. Every 15 s an instance of each is frozen for
a moment, so that calls are on their way to it, and killed with SIGKILL; another takes its place. All callers call at
the same time and meet the same kills.

    python bench/kills.py
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import figures
from conformance.mesh import probing
from conformance.peers import Load
from harness.load import FROZEN_S
from harness.probe import languages

from gossamer.probe.v1 import probe_pb2 as pb

if TYPE_CHECKING:
    from harness.probe import Probe

KILLS = 10
EVERY_S = 15
RATE = 30
CALLEE = "go"
RETRIED, CONTROL = "default retries", "retries off (control)"
SERVICES = {"retried": RETRIED, "control": CONTROL}


def main() -> None:
    """Measure, print, write."""
    results = []
    for (caller, way), load in asyncio.run(killed()).items():
        print(f"{caller}, {way}:", dict(load.ended))
        results += figures.lost(
            f"calls of {caller}",
            way,
            load.ended.total(),
            sum(load.failed.values()),
            against=f"the same calls with retries off; {KILLS} kills of one of three instances, in {CALLEE}",
            aim={"max": 0} if way == RETRIED else None,
        )
    figures.show(results)
    figures.write("kills", results)


async def killed() -> dict[tuple[str, str], Load]:
    """Kill instances again and again; give the loads by the language of the caller and by the way it called."""
    with tempfile.TemporaryDirectory() as name:
        async with probing(Path(name)) as (mesh, probes), AsyncExitStack() as calling:
            await mesh.consul.put("/v1/kv/gossamer/defaults/control", {"retry": False})
            kits = {language.name: language for language in languages()}
            running = {service: [await probes.start(kits[CALLEE], service) for _ in range(3)] for service in SERVICES}
            loads = {}
            for language in kits.values():
                caller = await probes.start(language, f"caller-{language.name}")
                for service, way in SERVICES.items():
                    loads[language.name, way] = await calling.enter_async_context(_load(caller, service))
            await asyncio.sleep(3)
            for number in range(KILLS):
                began = time.monotonic()
                victims = [instances.pop(0) for instances in running.values()]
                await _kill(victims)
                for service, instances in running.items():
                    instances.append(await probes.start(kits[CALLEE], service))
                retried = {language: load.failed for (language, way), load in loads.items() if way == RETRIED}
                print(f"kill {number + 1} of {KILLS}: failed so far {retried}", flush=True)
                await asyncio.sleep(EVERY_S - (time.monotonic() - began))
        return loads


def _load(caller: Probe, service: str) -> Load:
    request = pb.CallRequest(service=service, method=pb.CALL_METHOD_ECHO)
    return Load(lambda: caller.stub.Call(request, timeout=10), RATE)


async def _kill(victims: list[Probe]) -> None:
    for victim in victims:
        victim.child.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    for victim in victims:
        await victim.end(signal.SIGKILL)


if __name__ == "__main__":
    main()
