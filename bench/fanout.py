"""How soon the last of 1, 100 and 1,000 clients knows what Consul answered, beside Consul's own xDS for Envoy.

One Consul with 100 services of three instances. Three sides, each with a service of its own, take turns in one run:

    mesh     the control plane, to clients that ask as gRPC clients do
    consul   Consul itself, to clients that ask as the Envoys do that it puts beside each service
    naive    a control plane that makes each response anew and keeps no account of its clients (naive/ads.py)

The clients of a side are one program (streams/), which does next to nothing with what it gets; each client has a
connection of its own, as if it were a process of its own. A real Envoy would do more, and so take longer: this favours
Consul. The program also watches the service in Consul, by the blocking query that the mesh and the naive one use, so
that "from Consul's answer" is told by the clock that tells when clients knew, and holds no write. Consul's own xDS sees
a change before that query is answered, as it is the same process: this favours it too. Its limit of 500 updates a
second, which alone would spread one change to 1,000 Envoys over two seconds, is lifted. That it waits for 200 ms after
a change for others is a part of its program, and no setting.

Processor time is that of the process that serves; of Consul's xDS, what Consul spends on its own changes more than on
those of the others. With few cores, the clients' program delays the last client by more than any control plane does.

    python bench/fanout.py [changes]
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import figures

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from harness.consul import Consul  # noqa: E402 - the tests' harness is no package of its own
from harness.control import ControlPlane  # noqa: E402
from harness.process import Child, processor_time  # noqa: E402
from harness.streams import Streams, build  # noqa: E402

SERVICES, INSTANCES = 100, 3
SIZES = (1, 100, 1000)
CHANGES = 60
WARM_UP = 3
"""Changes before, that don't count."""
FIRST_PORT = 2000
"""Of every instance; with each change it is one more (streams/main.go)."""
REST = 0.1
"""Seconds after each change, for what is still under way, and so that no side puts two changes together."""
AIMS = {100: {"max": 50.0}, 1000: {"max": 150.0}}
"""Milliseconds, of the 99th percentile, by clients."""
PROCESSOR_AIM = {"max": 0.1}
"""Milliseconds a client and change. With one client it is the price of the change itself."""
PROXY = "caller-proxy-"
CONFIGURATION = {"connect": {"enabled": True}, "xds": {"update_max_per_second": 1e9}}
AT_ONCE = 20
"""How many registrations are under way at once."""


@dataclass
class Side:
    """One side: what it serves, to whom, and what was measured."""

    name: str
    address: str
    """Of the instance that changes."""
    pid: int
    """Of the process that serves."""
    streams: Streams
    milliseconds: list[float] = field(default_factory=list)
    """From Consul's answer until the last client was told, one a change."""
    spent: list[float] = field(default_factory=list)
    """Milliseconds of the process's own time, one a change."""
    by_consul: list[float] = field(default_factory=list)
    """The same, of Consul."""

    async def change(self, consul: Consul, version: int) -> None:
        """Change the instance, and wait until every client was told."""
        before = processor_time(self.pid), processor_time(consul.pid)
        await consul.write(self.name, self.address, FIRST_PORT + version, native=True)
        report = await self.streams.told(self.address, FIRST_PORT + version)
        await asyncio.sleep(REST)
        if version > WARM_UP:
            self.milliseconds.append((report["last"] - report["answered"]) / 1e6)
            self.spent.append((processor_time(self.pid) - before[0]) * 1e3)
            self.by_consul.append((processor_time(consul.pid) - before[1]) * 1e3)


async def measure(folder: Path, program: Path, clients: int, changes: int) -> list[Side]:
    """Measure all sides with so many clients, one change after the other."""
    async with contextlib.AsyncExitStack() as stack:
        consul = await stack.enter_async_context(Consul(folder, **CONFIGURATION))
        await fill(consul, clients)
        control = await stack.enter_async_context(ControlPlane(folder / "control", consul.url))
        naive = await Child.start(
            *(sys.executable, ROOT / "bench" / "naive" / "ads.py", consul.url, "naive"), log=folder / "naive.log"
        )
        stack.push_async_callback(naive.end)
        served = (await naive.announcement())["addresses"]["grpc"]
        follow = {"clients": clients, "consul": consul.url}
        sides = [
            Side("mesh", host(0), control.pid, Streams(program, control.address, "mesh", **follow)),
            Side("consul", host(1), consul.pid, Streams(program, consul.grpc_address, "consul", envoy=PROXY, **follow)),
            Side("naive", host(2), naive.pid, Streams(program, served, "naive", **follow)),
        ]
        for side in sides:
            await stack.enter_async_context(side.streams)
            await side.streams.told(side.address, FIRST_PORT)
        for version in range(1, WARM_UP + changes + 1):
            for side in sides:
                await side.change(consul, version)
    return sides


async def fill(consul: Consul, clients: int) -> None:
    """Write all services, and the proxies that Consul's own xDS serves."""
    free = asyncio.Semaphore(AT_ONCE)

    async def bounded(writing: Any) -> None:
        async with free:
            await writing

    names = ["mesh", "consul", "naive", *(f"other-{number}" for number in range(3, SERVICES))]
    instances = [(name, host(n, instance)) for n, name in enumerate(names) for instance in range(1, INSTANCES + 1)]
    writings = [consul.write(name, address, FIRST_PORT, native=True) for name, address in instances]
    proxies = [consul.put("/v1/agent/service/register", proxy(number, "consul")) for number in range(clients)]
    await asyncio.gather(*map(bounded, [*writings, *proxies]))


def host(service: int, instance: int = 1) -> str:
    """Give the address of an instance, which no other has."""
    return f"10.0.{service}.{instance}"


def proxy(number: int, *services: str) -> dict[str, Any]:
    """Define one of the proxies through which instances of a caller reach services."""
    upstreams = [{"DestinationName": name, "LocalBindPort": 9000 + place} for place, name in enumerate(services)]
    return {
        "Kind": "connect-proxy",
        "ID": f"{PROXY}{number}",
        "Name": "caller-proxy",
        "Address": "127.0.0.1",
        "Port": 20_000 + number,
        "Proxy": {"DestinationServiceName": "caller", "Upstreams": upstreams},
    }


def shown(clients: int, sides: list[Side]) -> list[figures.Figure]:
    """Make the figures."""
    mesh, consul, naive = sides
    elsewhere = statistics.mean([*mesh.by_consul, *naive.by_consul])
    consul.spent = [max(0.0, spent - elsewhere) for spent in consul.spent]
    many = f"{clients:,} client{'s' if clients > 1 else ''}"
    found = []
    for side in sides:
        of = {"side": side.name, "against": "the other sides, in the same run"}
        told, ours = f"from Consul's answer to the last of {many}", side is mesh
        slowest = statistics.quantiles(side.milliseconds, n=100, method="inclusive")[98]
        found += [
            figures.Figure(figure=f"{told}, median", values=side.milliseconds, unit="ms", **of),
            figures.Figure(
                figure=f"{told}, p99", values=[slowest], unit="ms", aim=AIMS.get(clients) if ours else None, **of
            ),
            figures.Figure(
                figure=f"processor time of a change, for each of {many}",
                values=[spent / clients for spent in side.spent],
                unit="ms",
                aim=PROCESSOR_AIM if ours and clients > 1 else None,
                **of,
            ),
        ]
    return [*found, *ratios(many, mesh, [consul, naive])]


def ratios(many: str, mesh: Side, others: list[Side]) -> list[figures.Figure]:
    """Compare the mesh with the others: time, and processor time, with the spread of the changes."""
    return [
        figures.Figure(
            figure=f"{what} with {many}, {other.name} / mesh",
            values=[value / statistics.median(ours) for value in theirs],
            unit="ratio",
            against="the mesh, in the same run",
        )
        for other in others
        for what, ours, theirs in (
            ("time to the last client", mesh.milliseconds, other.milliseconds),
            ("processor time", mesh.spent, other.spent),
        )
    ]


def main() -> None:
    """Measure, show and write."""
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES
    found = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        for clients in SIZES:
            sides = asyncio.run(measure(Path(folder) / str(clients), program, clients, changes))
            found += shown(clients, sides)
    figures.show(found)
    figures.write("fanout", found)


if __name__ == "__main__":
    main()
