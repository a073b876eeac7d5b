"""The control plane as a process on a free port."""

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from gossamer.mesh.v1.mesh_pb2 import Client, ListClientsRequest
from gossamer.mesh.v1.mesh_pb2_grpc import MeshServiceStub

from .ports import free_ports
from .process import Child

ROOT = Path(__file__).parents[2]

CONTRACTS = ROOT / "gen" / "contracts.binpb"

PROGRAM = ("-m", "gossamer_mesh.control")

NAIVE = ROOT / "tests" / "naive" / "control.py"
"""The control plane with one protection taken out."""


class ControlPlane:
    """One control plane that reads a Consul agent. `async with` starts it and waits until it is bound."""

    def __init__(
        self,
        folder: Path,
        consul: str,
        *options: str,
        contracts: Path = CONTRACTS,
        program: Sequence[str | Path] = PROGRAM,
    ) -> None:
        """Read the agent at the URL `consul`, or none if it is empty; `options` go to its command line.

        It calls a drain done from the start, unless told otherwise: there was no control plane before it. `program` is
        what Python runs, if not the control plane itself.
        """
        self._folder = folder
        source = ("--consul", consul) if consul else ()
        self._options = (*source, "--contracts", str(contracts), "--settle", "0", *options)
        self._program = program
        self._child: Child | None = None
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        """`host:port` of everything it serves, the same after a restart."""

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def start(self) -> None:
        """Start it, on the same port as before, and wait until it is bound."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = (sys.executable, *self._program, "--listen", self.address, *self._options)
        self._child = await Child.start(*command, log=self._folder / "control.log")
        try:
            await self._child.announcement()
        except BaseException:
            await self.end(signal.SIGKILL)
            raise

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal and give its exit status."""
        assert self._child
        return await self._child.end(number)

    def logs(self) -> list[dict[str, Any]]:
        """Every line that it logged so far."""
        assert self._child
        return list(self._child.lines())

    def bootstrap(self, node: str = "test/client/1", zone: str = "local", *, by_kit: bool = False) -> str:
        """Make the bootstrap of a client, for GRPC_XDS_BOOTSTRAP_CONFIG."""
        return bootstrap(self.address, node, zone, by_kit=by_kit)


async def followers(address: str) -> list[Client]:
    """Give the clients that the control plane at that address sees."""
    async with grpc.aio.insecure_channel(address) as channel:
        return list((await MeshServiceStub(channel).ListClients(ListClientsRequest(), timeout=5)).clients)


def bootstrap(address: str, node: str = "test/client/1", zone: str = "local", *, by_kit: bool = False) -> str:
    """Make the bootstrap of a client of the control plane at that address; `by_kit`: its kit tries calls again."""
    server = {"server_uri": address, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    described = {"id": node, "cluster": node.split("/")[1], "locality": {"zone": zone}}
    if by_kit:
        described["metadata"] = {"gossamer.retries": "kit"}
    return json.dumps({"xds_servers": [server], "node": described})
