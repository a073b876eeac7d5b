"""How soon a changed instance set is used: from Consul knowing it to a Python and a Go client calling accordingly.

A real Consul, the control plane as a process, three instances, and one plain gRPC client in each language that calls
one instance after the other without pause. One instance goes into maintenance and comes back, again and again. Consul
knows a change when its own blocking query, asked by this program, returns it: the control plane learns it the same way
at the same moment. Both clients see the same changes in the same run.

    added      from then until the first answer of the instance that came back
    removed    from then until the last call began that the instance in maintenance still answered (0 if it was before)

What is measured is more than the mesh needs: a client makes a call every 4 ms only and takes turns over three
instances, so an instance is seen up to 12 ms late; and everything shares the same cores.

    python bench/propagation.py [changes]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import figures

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from harness.consul import Consul  # noqa: E402 - the tests' harness is no package of its own
from harness.control import ControlPlane  # noqa: E402
from harness.instance import CONTRACT, Instance  # noqa: E402

SERVICE = "followed"
MOVED = "c"
CHANGES = 30
INTERVAL = 0.004
SETTLED = 0.4
"""Seconds after a change until clients are asked what they saw; several times the aim."""
AIM = {"max": 100.0}


class Client:
    """One client program."""

    def __init__(self, language: str, process: asyncio.subprocess.Process) -> None:
        self.language = language
        self._process = process
        self.added: list[float] = []
        self.removed: list[float] = []
        self.failures = 0

    async def take(self) -> dict[str, Any]:
        """Ask what it saw since it was asked last."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(10):
            seen: dict[str, Any] = json.loads(await self._process.stdout.readline())
        self.failures += seen["failures"]
        return seen

    async def until(self, instances: set[str]) -> None:
        """Wait until exactly these answer."""
        async with asyncio.timeout(20):
            while (await self.take())["instances"].keys() != instances:
                await asyncio.sleep(0.2)

    def end(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class Witness:
    """Sees when Consul knows a change, by a blocking query of its own."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/health/service/{SERVICE}"
        self._index = "0"

    async def knows(self, session: aiohttp.ClientSession, passing: int) -> int:
        """Wait until Consul shows so many instances that get calls. Gives the wall clock time in nanoseconds."""
        while True:
            async with session.get(self._url, params={"index": self._index, "wait": "20s"}) as response:
                entries = await response.json()
                moment = time.time_ns()
                self._index = response.headers["X-Consul-Index"]
            if sum(all(check["Status"] == "passing" for check in entry["Checks"]) for entry in entries) == passing:
                return moment


async def start(language: str, command: list[str], bootstrap: str) -> Client:
    """Start a client program."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Client(language, process)


async def change(consul: Consul, witness: Witness, clients: list[Client], *, remove: bool) -> None:
    """Take the instance out, or bring it back, and note how soon each client knew."""
    for client in clients:
        await client.take()
    async with aiohttp.ClientSession() as session:
        knowing = asyncio.create_task(witness.knows(session, 2 if remove else 3))
        await consul.maintain(f"{SERVICE}-{MOVED}", enable=remove)
        moment = await asyncio.wait_for(knowing, 20)
    await asyncio.sleep(SETTLED)
    for client in clients:
        seen = (await client.take())["instances"].get(MOVED)
        if remove:
            client.removed.append(max(0, seen["last"] - moment) / 1e6 if seen else 0.0)
        else:
            client.added.append((seen["first"] - moment) / 1e6 if seen else SETTLED * 1e3)


async def measure(folder: Path, go: Path, changes: int) -> list[Client]:
    """Run everything."""
    async with contextlib.AsyncExitStack() as stack:
        consul = await stack.enter_async_context(Consul(folder / "consul"))
        control = await stack.enter_async_context(ControlPlane(folder / "control", consul.url))
        for name in "abc":
            instance = await stack.enter_async_context(Instance(name))
            await consul.register(SERVICE, f"{SERVICE}-{name}", instance.address, contracts=[CONTRACT])
        python = [sys.executable, str(ROOT / "bench" / "follow" / "client.py"), SERVICE, str(INTERVAL)]
        clients = [
            await start("Python", python, control.bootstrap("bench/python/1")),
            await start("Go", [str(go), SERVICE, f"{INTERVAL}s"], control.bootstrap("bench/go/1")),
        ]
        for client in clients:
            stack.callback(client.end)
            await client.until(set("abc"))
        witness = Witness(consul.url)
        for _ in range(changes):
            await change(consul, witness, clients, remove=True)
            await change(consul, witness, clients, remove=False)
    return clients


def shown(clients: list[Client]) -> list[figures.Figure]:
    """Make the figures: the median with its quartiles, and the slowest of a hundred."""
    found = []
    for client in clients:
        for what, values in (("added", client.added), ("removed", client.removed)):
            against = "Consul's own blocking query"
            name = f"instance {what}: Consul to a {client.language} client"
            slowest = statistics.quantiles(values, n=100, method="inclusive")[98]
            found += [
                figures.Figure(figure=f"{name}, {kind}", values=of, unit="ms", against=against, aim=AIM)
                for kind, of in (("median", values), ("99th percentile", [slowest]))
            ]
    found.append(
        figures.Figure(
            figure="failed calls while instances came and went",
            values=[float(sum(client.failures for client in clients))],
            unit="calls",
            against="none allowed",
            aim={"max": 0.0},
        )
    )
    return found


def main() -> None:
    """Build the Go client, measure, show and write."""
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES
    with tempfile.TemporaryDirectory() as folder:
        go = Path(folder) / "follow"
        subprocess.run(["go", "build", "-o", str(go), "./bench/follow"], cwd=ROOT, check=True)
        clients = asyncio.run(measure(Path(folder), go, changes))
    found = shown(clients)
    figures.show(found)
    figures.write("propagation", found)


if __name__ == "__main__":
    main()
