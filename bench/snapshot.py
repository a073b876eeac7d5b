"""What it takes to turn a mesh into xDS: all of it at once, one changed instance, and a client that only listens.

A mesh as a source of discovery tells it is taken through all that the control plane does with it until resources are
ready to be sent: is it to be believed, what is planned, what is spelled, would any client refuse it. Two meshes: 100
services of 5 instances, 1,000 of 10; with each, further ones in which one instance of one service has another port.
Reading the mesh from Consul is not in it, as how long that takes is up to Consul.

Time is the processor's, of one thread that waits for nothing. Beside it, the same messages made from the same plans and
serialized, and nothing else: what protobuf alone takes. What a change costs in the larger mesh is compared with what it
costs in a tenth of it, services being of the same size: were it in proportion to the service alone, both would cost the
same.

Memory is that of a control plane of 100 services, more with clients than before any came. Each client has a connection
of its own, follows the four resources of one service, has accepted all and is sent nothing.

    python bench/snapshot.py
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import figures
import psutil

from gossamer_mesh.control.planning import Planning
from gossamer_mesh.discovery import SecondLook
from gossamer_mesh.model import Audience, Instance, Mesh, Plan, Route, Service, Share
from gossamer_mesh.policy import Contracts
from gossamer_mesh.xds import Resources
from gossamer_mesh.xds.assignments import assignment
from gossamer_mesh.xds.clusters import cluster_message
from gossamer_mesh.xds.listeners import listener
from gossamer_mesh.xds.routes import route_configuration

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from harness.process import Child
from harness.streams import Streams, build

SIZES = {(100, 5): 50.0, (1000, 10): 500.0}
"""Services and instances of each, and the milliseconds that are aimed at."""
TENTH = (100, 10)
RUNS, CHANGES = 9, 50
AUDIENCE = Audience(zone="local", caller="caller")
CLIENTS, PROCESSES = 1000, 3
KILOBYTE = 1000
SETTLED = 2.0
"""Seconds in which a control plane comes to rest."""


def mesh(services: int, instances: int) -> list[Service]:
    """Make the services of a mesh."""
    return [Service.of(f"s{number}", map(one, [number] * instances, range(instances))) for number in range(services)]


def one(service: int, number: int, port: int = 2000) -> Instance:
    """Make an instance, whose address no other has."""
    host = f"10.{service // 250}.{service % 250}.{number + 1}"
    contracts = ("shop.catalog.v1.CatalogService",)
    return Instance(id=f"s{service}-{number}", host=host, port=port, zone="local", contracts=contracts)


class Control:
    """All that a control plane does between its source and its streams."""

    def __init__(self) -> None:
        self._second_look = SecondLook()
        self._planning = Planning()
        self._resources = Resources(boot="bench")
        self._mesh = Mesh()
        self._planning.begin(AUDIENCE)

    def take(self, services: list[Service]) -> float:
        """Take a mesh in until resources are ready, and give the milliseconds that it took."""
        began = time.process_time()
        believed = self._second_look.decide(Mesh.of(services), began).mesh.remembering(self._mesh)
        assert believed != self._mesh
        self._mesh = believed
        for audience, planned in self._planning.plan(believed, Contracts()):
            refused = self._resources.update(audience, (each.plan for each in planned))
            assert not refused
        return (time.process_time() - began) * 1e3

    def plans(self) -> list[Plan]:
        """Give what was planned."""
        return [self._planning.find(AUDIENCE, name).plan for name in self._mesh.services]


def alone(plans: list[Plan]) -> float:
    """Make and serialize the messages of plans, and give the milliseconds that it took."""
    began = time.process_time()
    for plan in plans:
        routes = plan.routes or (Route(to=(Share(cluster=plan.service),)),)
        listener(plan.service, faulty=False).SerializeToString()
        route_configuration(plan.service, routes, envoy=False).SerializeToString()
        for cluster in plan.clusters:
            cluster_message(cluster, envoy=False).SerializeToString()
            assignment(cluster).SerializeToString()
    return (time.process_time() - began) * 1e3


def changed(control: Control, services: list[Service], change: int) -> float:
    """Give an instance another port, and the milliseconds that it took."""
    number = change % len(services)
    first, *others = services[number].instances
    services[number] = Service.of(services[number].name, [replace(first, port=first.port + 1), *others])
    return control.take(services)


def computed() -> list[figures.Figure]:
    """Measure whole meshes and single changes, taking turns."""
    sizes = [*SIZES, TENTH]
    whole: dict[tuple[int, int], list[float]] = {size: [] for size in sizes}
    bare: dict[tuple[int, int], list[float]] = {size: [] for size in sizes}
    single: dict[tuple[int, int], list[float]] = {size: [] for size in sizes}
    for _ in range(RUNS):
        for size in sizes:
            services, control = mesh(*size), Control()
            gc.collect()
            whole[size].append(control.take(services))
            bare[size].append(alone(control.plans()))
            single[size].append(statistics.median(changed(control, services, change) for change in range(CHANGES)))
    return shown(whole, bare, single)


def shown(*found: dict[tuple[int, int], list[float]]) -> list[figures.Figure]:
    """Make the figures of what was computed."""
    whole, bare, single = found
    made = []
    for size, aim in SIZES.items():
        what = f"{size[0]:,} services of {size[1]} instances"
        against = "protobuf alone, making and serializing the same messages"
        ratios = [ours / theirs for ours, theirs in zip(whole[size], bare[size], strict=True)]
        made += [
            figures.Figure(
                figure=f"{what}, all at once", values=whole[size], unit="ms", against=against, aim={"max": aim}
            ),
            figures.Figure(figure=f"{what}, protobuf alone", values=bare[size], unit="ms", against="itself"),
            figures.Figure(
                figure=f"{what}, all at once / protobuf alone", values=ratios, unit="ratio", against=against
            ),
            figures.Figure(
                figure=f"{what}, one changed instance", values=single[size], unit="ms", against="all at once"
            ),
        ]
    large = max(SIZES)
    return [
        *made,
        figures.Figure(
            figure=f"one changed instance, of {large[0]:,} services / of {TENTH[0]}",
            values=[more / less for more, less in zip(single[large], single[TENTH], strict=True)],
            unit="ratio",
            against="a tenth of the services, of the same size",
        ),
        figures.Figure(
            figure=f"one changed instance of {large[0]:,} services / all at once",
            values=[one / all_ for one, all_ in zip(single[large], whole[large], strict=True)],
            unit="ratio",
            against="making everything again",
            aim={"max": 1 / 100},
        ),
    ]


async def held(folder: Path, program: Path) -> float:
    """Give the kilobytes that each of many idle clients costs a control plane."""
    path = folder / "mesh.json"
    services = {
        f"s{number}": [{"id": f"s{number}-{n}", "address": f"10.0.{number}.{n}:2000"} for n in (1, 2, 3)]
        for number in range(100)
    }
    path.write_text(json.dumps({"services": services}))
    command = (sys.executable, "-m", "gossamer_mesh.control", "--listen", "127.0.0.1:0", "--file", path)
    control = await Child.start(*command, log=folder / "control.log")
    try:
        address = (await control.announcement())["addresses"]["grpc"]
        await asyncio.sleep(SETTLED)
        process = psutil.Process(control.pid)
        before = process.memory_info().rss
        async with Streams(program, address, "s0", clients=CLIENTS) as streams:
            await streams.told("10.0.0.1", 2000)
            await asyncio.sleep(SETTLED)
            return float(process.memory_info().rss - before) / CLIENTS / KILOBYTE
    finally:
        await control.end()


def main() -> None:
    """Measure, show and write."""
    found = computed()
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        values = [asyncio.run(held(Path(folder), program)) for _ in range(PROCESSES)]
    found.append(
        figures.Figure(
            figure=f"memory of each of {CLIENTS:,} idle clients",
            values=values,
            unit="kB",
            against="no clients",
            aim={"max": 50.0},
        )
    )
    figures.show(found)
    figures.write("snapshot", found)


if __name__ == "__main__":
    main()
