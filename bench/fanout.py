"""What one changed assignment costs with many clients, against a control plane that keeps no account of them.

Both run as processes on the same file with 100 services of three instances. N clients, 100 streams to a connection, all
follow one service; its instances change again and again, seen by one control plane and then by the other. Clients are
one program that serves both. The other side (naive/ads.py) makes each response anew and remembers nothing: what is
between the two is the price of sessions, of asking what is due and of being sure of it, less what shared bytes save.

The clock runs from the first client that has a change to the last one; most of that the clients' program takes itself.
The control plane's own processor time stands beside it: with few cores, it says more. It has an aim with many clients
only, since with few of them most of it is reading the file, which the naive one takes as it is and checks nothing of.

    python bench/fanout.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import figures
import grpc
import psutil
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
SERVICES = 100
SIZES = (100, 1000)
CHANGES = 15
STREAMS_PER_CONNECTION = 100
REST = 0.4
"""Seconds before and after a change in which nothing happens."""
MEGABYTE = 1_000_000
NAIVE = Path(__file__).parent / "naive" / "ads.py"


def write(path: Path, version: int) -> None:
    """Write the mesh; the first service has other ports with each version."""
    services = {
        f"s{number}": [
            {"id": f"s{number}-{n}", "address": f"127.0.0.1:{n + (version if number == 0 else 0)}"} for n in (1, 2, 3)
        ]
        for number in range(SERVICES)
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"services": services}))
    fresh.replace(path)


class Client:
    """One stream that follows the first service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Open it."""
        self._call: Any = AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()

    async def follow(self) -> None:
        """Subscribe, and take what there is."""
        await self._call.write(DiscoveryRequest(node=Node(id="bench"), type_url=ASSIGNMENT, resource_names=["s0"]))
        await self.take()

    async def take(self) -> None:
        """Take one response and accept it."""
        response: DiscoveryResponse = await self._call.read()
        await self._call.write(
            DiscoveryRequest(
                type_url=ASSIGNMENT,
                resource_names=["s0"],
                response_nonce=response.nonce,
                version_info=response.version_info,
            )
        )


@dataclass
class Side:
    """One control plane with its clients, and what was measured."""

    address: str
    process: psutil.Process
    streams: list[Client] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Milliseconds of the control plane's own processor time for each change."""

    async def connect(self, clients: int, stack: contextlib.AsyncExitStack) -> None:
        """Have so many clients follow."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(self.address, options))
            for _ in range(clients // STREAMS_PER_CONNECTION)
        ]
        self.streams = [Client(channels[number % len(channels)]) for number in range(clients)]
        await asyncio.gather(*(stream.follow() for stream in self.streams))

    async def change(self, path: Path, version: int) -> None:
        """Change the service, and wait until every client has it."""
        spent = self._spent()
        takes = [asyncio.create_task(stream.take()) for stream in self.streams]
        await asyncio.sleep(REST)
        write(path, version)
        await asyncio.wait(takes, return_when=asyncio.FIRST_COMPLETED)
        began = time.monotonic()
        await asyncio.gather(*takes)
        self.milliseconds.append((time.monotonic() - began) * 1e3)
        await asyncio.sleep(REST)
        self.processor.append((self._spent() - spent) * 1e3)

    def _spent(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


def start(stack: contextlib.ExitStack, *command: str) -> Side:
    """Start a control plane."""
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    stack.callback(child.wait, 20)
    stack.callback(child.terminate)
    assert child.stdout
    return Side(json.loads(child.stdout.readline())["addresses"]["grpc"], psutil.Process(child.pid))


async def measure(folder: Path, clients: int) -> list[figures.Figure]:
    """Measure both sides with so many clients, one change after the other."""
    with contextlib.ExitStack() as processes:
        paths = [folder / "ours.json", folder / "naive.json"]
        for path in paths:
            write(path, 0)
        ours = start(processes, "-m", "gossamer_mesh.control", "--listen", "127.0.0.1:0", "--file", str(paths[0]))
        naive = start(processes, str(NAIVE), str(paths[1]))
        await asyncio.sleep(REST)
        empty = ours.process.memory_info().rss
        async with contextlib.AsyncExitStack() as channels:
            for side in (ours, naive):
                await side.connect(clients, channels)
            for version in range(10, 10 + CHANGES):
                for side, path in zip((ours, naive), paths, strict=True):
                    await side.change(path, version)
            full = ours.process.memory_info().rss
    return shown(clients, ours, naive, empty, full)


def shown(clients: int, ours: Side, naive: Side, empty: int, full: int) -> list[figures.Figure]:
    """Make the figures."""
    against = "a control plane that makes every response anew and keeps no account"
    what = f"one change to {clients} clients"
    return [
        figures.Figure(figure=f"{what}, first to last", values=ours.milliseconds, unit="ms", against=against),
        figures.Figure(figure=f"{what}, first to last, naive", values=naive.milliseconds, unit="ms", against="itself"),
        figures.Figure(
            figure=f"{what}, processor time of all, ratio",
            values=[sum(ours.processor) / sum(naive.processor)],  # each alone is a few ticks of the system's clock
            unit="ratio",
            against=against,
            aim={"max": 1.5} if clients == max(SIZES) else None,
        ),
        figures.Figure(
            figure=f"memory with 100 services and no client, before {clients} came",
            values=[empty / MEGABYTE],
            unit="MB",
            against="what a stack can spare for it",
            aim={"max": 75.0},
        ),
        figures.Figure(
            figure=f"memory of each of {clients} clients",
            values=[(full - empty) / clients / 1000],
            unit="kB",
            against="no clients",
        ),
    ]


def main() -> None:
    """Measure, show and write."""
    with tempfile.TemporaryDirectory() as folder:
        found = [figure for clients in SIZES for figure in asyncio.run(measure(Path(folder), clients))]
    figures.show(found)
    figures.write("fanout", found)


if __name__ == "__main__":
    main()
