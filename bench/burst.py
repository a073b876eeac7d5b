"""What 1,000 changed instances in 10 seconds cost, and how stale any of 100 clients ever is, beside Consul's own xDS.

Ten services of ten instances. Every 10 ms another instance has another port, unless Consul has not taken its last one
yet; all clients follow all ten services. First the control plane serves 100 clients, then Consul itself serves 10 that
ask as its Envoys do; and so on, taking turns. Only the side that serves runs. Consul gets a tenth of the clients, as it
spends almost a millisecond on each client and change (bench/fanout.py): with 100, two cores are so far from enough that
it takes no write for minutes. Clients and settings are those of bench/fanout.py, which says why that is fair.

A change counts as stale from the moment at which Consul has said that it was written until the last client was told
of that instance with that port or a later one: whoever is told of a later one misses nothing. Clients are told less
often than instances change, as both sides put together what changes at about the same time; how often stands beside it.

    python bench/burst.py [rounds]
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import fanout
import figures
from fanout import FIRST_PORT, PROXY
from harness.consul import Consul
from harness.control import ControlPlane
from harness.process import processor_time
from harness.streams import Streams, build

SERVICES = [f"s{number}" for number in range(10)]
INSTANCES = 10
CLIENTS, ENVOYS = 100, 10
CHANGES, INTERVAL = 1000, 0.01
ROUNDS = 3
PATIENCE = 100.0
"""Seconds that a write may take: under its own load, Consul answers late."""
AIM = {"max": 200.0}


@dataclass
class Round:
    """What one burst of one side came to."""

    clients: int
    stale: list[float] = field(default_factory=list)
    """Milliseconds, one a change."""
    told: float = 0.0
    """How many assignments each of them was sent."""
    took: float = 0.0
    """Seconds from the first write until Consul had answered the last."""
    spent: float = 0.0
    """Seconds of processor time of the process that serves."""


class Serving(NamedTuple):
    """A side that serves."""

    streams: Streams
    clients: int
    pid: int
    """Of the process that serves."""


class Ports:
    """The instances, and which port each has."""

    def __init__(self) -> None:
        self._ports = {
            (name, fanout.host(number, instance)): FIRST_PORT
            for number, name in enumerate(SERVICES)
            for instance in range(1, INSTANCES + 1)
        }

    @property
    def all(self) -> list[tuple[str, str, int]]:
        """Service, host and port of each."""
        return [(*key, port) for key, port in self._ports.items()]

    def change(self, number: int) -> tuple[str, str, int]:
        """Give the next instance another port: of another service each time, and of all in turn."""
        index = number % len(SERVICES) * INSTANCES + number // len(SERVICES) % INSTANCES
        key = list(self._ports)[index]
        self._ports[key] += 1
        return (*key, self._ports[key])


async def burst(consul: Consul, ports: Ports, serving: Serving) -> Round:
    """Change instances at a steady rate, and find how stale each client was."""
    for _, address, port in ports.all:
        await serving.streams.told(address, port)
    before = processor_time(serving.pid)
    changes, writes = [], []
    turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
    began = time.monotonic()
    for number in range(CHANGES):
        await asyncio.sleep(began + number * INTERVAL - time.monotonic())
        changes.append(ports.change(number))
        writes.append(asyncio.create_task(written(consul, turns, *changes[-1])))
    moments = await asyncio.gather(*writes)
    found = Round(clients=serving.clients, took=time.monotonic() - began)
    responses = 0
    for (_, address, port), moment in zip(changes, moments, strict=True):
        report = await serving.streams.told(address, port)
        responses += report["responses"]
        found.stale.append(max(0.0, (report["last"] - moment) / 1e6))
    found.told = responses / serving.clients
    found.spent = processor_time(serving.pid) - before
    return found


async def written(consul: Consul, turns: Mapping[str, asyncio.Lock], service: str, address: str, port: int) -> int:
    """Write an instance after what was to be written of it before, and give when Consul said so, in nanoseconds."""
    async with turns[address]:
        await consul.write(service, address, port, native=True)
        return time.time_ns()


@contextlib.asynccontextmanager
async def mesh(folder: Path, consul: Consul, program: Path) -> AsyncIterator[Serving]:
    """Have the control plane serve the clients."""
    async with (
        ControlPlane(folder, consul.url) as control,
        Streams(program, control.address, *SERVICES, clients=CLIENTS) as streams,
    ):
        yield Serving(streams, CLIENTS, control.pid)


@contextlib.asynccontextmanager
async def consuls(folder: Path, consul: Consul, program: Path) -> AsyncIterator[Serving]:
    """Have Consul serve the clients, which are its proxies for so long: they cost it something also without clients."""
    del folder
    for number in range(ENVOYS):
        await consul.put("/v1/agent/service/register", fanout.proxy(number, *SERVICES))
    async with Streams(program, consul.grpc_address, *SERVICES, clients=ENVOYS, envoy=PROXY) as streams:
        yield Serving(streams, ENVOYS, consul.pid)
    for number in range(ENVOYS):
        await consul.deregister(f"{PROXY}{number}")


SIDES = {"mesh": mesh, "consul": consuls}


async def measure(folder: Path, program: Path, rounds: int) -> dict[str, list[Round]]:
    """Have bursts, taking turns."""
    ports, found = Ports(), {side: list[Round]() for side in SIDES}
    async with Consul(folder, patience=PATIENCE, **fanout.CONFIGURATION) as consul:
        for service, address, port in ports.all:
            await consul.write(service, address, port, native=True)
        for _ in range(rounds):
            for side, serve in SIDES.items():
                async with serve(folder / "control", consul, program) as serving:
                    found[side].append(await burst(consul, ports, serving))
    return found


def shown(found: dict[str, list[Round]]) -> list[figures.Figure]:
    """Make the figures."""
    made = []
    for side, rounds in found.items():
        of = {"side": side, "against": "the other side, in the same run"}
        aim = AIM if side == "mesh" else None
        medians = [statistics.median(each.stale) for each in rounds]
        longest = [max(each.stale) for each in rounds]
        spent = [each.spent / CHANGES / each.clients * 1e3 for each in rounds]
        busy = [each.spent / each.took * 100 for each in rounds]
        made += [
            figures.Figure(figure="staleness, median", values=medians, unit="ms", **of),
            figures.Figure(figure="staleness, longest", values=longest, unit="ms", aim=aim, **of),
            figures.Figure(
                figure="assignments that each client was sent for 1,000 changes",
                values=[each.told for each in rounds],
                unit="assignments",
                **of,
            ),
            figures.Figure(figure="processor time, for each client and change", values=spent, unit="ms", **of),
            figures.Figure(figure="of one processor, meanwhile", values=busy, unit="%", **of),
            figures.Figure(
                figure="time until Consul had taken the writes", values=[each.took for each in rounds], unit="s", **of
            ),
        ]
    against = "the mesh, in the same run"
    ours, theirs = found["mesh"], found["consul"]
    for what, ratios in (
        ("longest staleness", [max(b.stale) / max(a.stale) for a, b in zip(ours, theirs, strict=True)]),
        (
            "processor time of a client and change",
            [(b.spent / b.clients) / (a.spent / a.clients) for a, b in zip(ours, theirs, strict=True)],
        ),
    ):
        made.append(figures.Figure(figure=f"{what}, consul / mesh", values=ratios, unit="ratio", against=against))
    return made


def main() -> None:
    """Measure, show and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        found = shown(asyncio.run(measure(Path(folder) / "consul", program, rounds)))
    figures.show(found)
    figures.write("burst", found)


if __name__ == "__main__":
    main()
