"""What a rolling restart costs callers, for a service of each language: of calls that must not be made again.

Two loads, each with a control whose instances are killed instead of drained:

- short: every service of the shop in a whole stack, called by grpc-go alone at a steady rate with retries off, while
  `gossamer restart` restarts all services, twice. Calls go on until each service had 20,000.
- long: two instances of each kit's probe, while calls of 3 s and streams of 3 s are always in flight, called by grpcio
  alone with retries off; each instance is ended by SIGTERM and started again, twice.

All languages are restarted in the same run, side by side.

    python bench/rolling.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import figures
import yaml
from conformance.mesh import Probes, probing
from conformance.peers import Load as LongLoad
from conformance.peers import caller_of
from google.protobuf.duration_pb2 import Duration
from harness.load import Load, build, calls_of
from harness.probe import languages
from harness.stack import Stack, eventually

from gossamer.probe.v1 import probe_pb2 as pb

if TYPE_CHECKING:
    from harness.probe import Language, Probe

ROOT = Path(__file__).parents[1]
ROUNDS = 2
RATE = 150
CALLS = 20_000
READS: dict[str, tuple[str, dict[str, Any]]] = {
    "behaviour": ("shop.behaviour.v1.BehaviourService/Trending", {"limit": 5}),
    "catalog": ("shop.catalog.v1.CatalogService/GetProduct", {"id": "alpaca-throw"}),
    "inventory": ("shop.inventory.v1.InventoryService/GetStock", {"product_ids": ["alpaca-throw"]}),
    "orders": ("shop.orders.v1.OrdersService/ListOrders", {"page_size": 1}),
    "tax": (
        "shop.tax.v1.TaxService/Quote",
        {
            "country": "AT",
            "lines": [{"id": "1", "category": "books", "net": {"currency_code": "EUR", "units": 10}}],
        },
    ),
}
LONG_RATE = 5.0
"""Calls, and as many streams, that begin each second for each language."""
LONG_S = 3
"""Seconds that each of them lasts."""
DRAINED, KILLED = "drained", "killed (control)"


@dataclass(frozen=True)
class Ended:
    """How the calls of one language ended while its instances were ended in one way."""

    language: str
    way: str
    calls: int
    failed: int


def main() -> None:
    """Measure, print, write."""
    short, long = rolled_short(), asyncio.run(rolled_long())
    results = [
        figure
        for what, ended in (("short", short), ("long", long))
        for each in ended
        for figure in figures.lost(
            f"{each.language}, {what}",
            each.way,
            each.calls,
            each.failed,
            against="the same calls while instances are killed instead of drained",
            aim={"max": 0} if each.way == DRAINED else None,
        )
    ]
    figures.show(results)
    figures.write("rolling", results)


def rolled_short() -> list[Ended]:
    """Restart all services of a stack under load, and then kill an instance of each."""
    ended = []
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "state") as stack:
        program = build(Path(folder))
        stack.up()
        for way in (DRAINED, KILLED):
            with ExitStack() as calling:
                loads = {
                    service: calling.enter_context(
                        Load(
                            program,
                            stack.address("control"),
                            *calls_of(method, request),
                            "-retries=false",
                            rate=RATE,
                        )
                    )
                    for service, (method, request) in READS.items()
                }
                began = time.monotonic()
                one = next(iter(loads.values()))
                one.run_for(3)
                if way == DRAINED:
                    for _ in range(ROUNDS):
                        stack.run("restart", within=300)
                    one.run_for(max(3, CALLS / RATE + 2 - (time.monotonic() - began)))
                else:
                    for service, load in loads.items():
                        name = f"{service}-1"
                        pid = stack.processes()[name]["pid"]
                        load.kill(pid)
                        eventually(partial(stack.serves, name, instead_of=pid), within=60)
                    one.run_for(3)
            for service, load in loads.items():
                failed = sum(load.summary["failed"].values())
                print(f"{way}: {service}", load.summary["failed"], load.summary.get("failures", ""), flush=True)
                ended.append(Ended(_language(service), way, load.summary["calls"], failed))
    return ended


async def rolled_long() -> list[Ended]:
    """Restart the probes of all kits while long calls and streams are in flight, and then kill them."""
    with tempfile.TemporaryDirectory() as name:
        async with probing(Path(name)) as (mesh, probes):
            os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = mesh.control.bootstrap()
            return [
                each
                for way in (DRAINED, KILLED)
                for each in await asyncio.gather(*(_rolled(language, probes, way) for language in languages()))
            ]


async def _rolled(language: Language, probes: Probes, way: str) -> Ended:
    """End and start the instances of a service of one language, one after the other, under load."""
    service = f"{language.name}-{way.split(maxsplit=1)[0]}"
    running = [await probes.start(language, service) for _ in range(2)]
    async with AsyncExitStack() as calling:
        channel, stub = caller_of(service, enable_retries=0)
        await calling.enter_async_context(channel)
        wait = pb.WaitRequest(duration=Duration(seconds=LONG_S))
        count = pb.CountRequest(to=10 * LONG_S, interval=Duration(nanos=10**8))

        async def stream() -> None:
            async for _ in stub.Count(count, timeout=30):
                pass

        loads = [
            await calling.enter_async_context(LongLoad(lambda: stub.Wait(wait, timeout=30), LONG_RATE)),
            await calling.enter_async_context(LongLoad(stream, LONG_RATE)),
        ]
        await asyncio.sleep(LONG_S + 2)
        for _ in range(ROUNDS):
            running = [await _replaced(language, service, each, probes, way) for each in running]
    calls = sum((load.ended for load in loads), Counter())
    print(f"{way}: {language.name}", dict(calls), flush=True)
    return Ended(language.name, way, calls.total(), calls.total() - calls["OK"])


async def _replaced(language: Language, service: str, probe: Probe, probes: Probes, way: str) -> Probe:
    await probe.end(signal.SIGTERM if way == DRAINED else signal.SIGKILL)
    return await probes.start(language, service)


def _language(service: str) -> str:
    return str(yaml.safe_load((ROOT / "services" / service / "service.yaml").read_text())["language"])


if __name__ == "__main__":
    main()
