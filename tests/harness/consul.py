"""A real Consul agent on free ports, its data in a folder of the test. Can be killed and restarted, empty or not."""

import asyncio
import json
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from gossamer_mesh.local.parts import have

from .ports import free_ports
from .process import Child

DEADLINE = 30.0
"""Seconds until an agent must have a leader, or show what a test waits for."""

PORTS = ("http", "serf_lan", "server", "grpc")


class Consul:
    """One agent, a server by itself. `async with` starts it and waits for its leader."""

    def __init__(self, folder: Path, *, patience: float = 10.0, **configuration: Any) -> None:
        """Keep everything in `folder`, and wait `patience` seconds for answers; the rest configures the agent."""
        self._patience = patience
        self._folder = folder
        self._given = configuration
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._child: Child | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """`host:port` of its HTTP API, as CONSUL_HTTP_ADDR takes it."""
        return f"127.0.0.1:{self._ports['http']}"

    @property
    def url(self) -> str:
        """The URL of its HTTP API."""
        return f"http://{self.address}"

    @property
    def grpc_address(self) -> str:
        """`host:port` of its own xDS, which is for Envoy only."""
        return f"127.0.0.1:{self._ports['grpc']}"

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=self._patience))
        try:
            await self.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        if self._session:
            await self._session.close()

    async def start(self) -> None:
        """Start the agent on the same ports as before, and wait until it has a leader."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "agent.json"
        configuration.write_text(json.dumps(self._configuration()))
        command = (have("consul"), "agent", "-config-file", configuration)
        self._child = await Child.start(*command, log=self._folder / "consul.log", announces=False)
        await self._until(self._has_leader, "a leader")

    async def kill(self) -> None:
        """Kill the agent at once; its data stays."""
        if self._child:
            await self._child.end(signal.SIGKILL)
            self._child = None

    async def restart(self, *, empty: bool) -> None:
        """Kill the agent and start it again, `empty` without its data."""
        await self.kill()
        if empty:
            shutil.rmtree(self._folder / "data")
        await self.start()

    def pause(self) -> None:
        """Have the agent accept connections and answer nothing."""
        assert self._child
        self._child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        assert self._child
        self._child.send(signal.SIGCONT)

    async def register(
        self,
        service: str,
        instance: str,
        address: str,
        *,
        contracts: Iterable[str] = (),
        meta: Mapping[str, str] | None = None,
        grpc: bool = True,
        status: str = "passing",
        interval: str = "1s",
        sidecar: Mapping[str, Any] | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        """Register an instance as the kits do: with a gRPC check of its own address (none without `grpc`).

        It is in Consul's own mesh too if it has a `sidecar`, which is defined as Consul's API takes it.
        """
        host, _, port = address.rpartition(":")
        check = {"GRPC": address, "Interval": interval, "Timeout": "1s", "Status": status}
        definition = {
            "Name": service,
            "ID": instance,
            "Address": host,
            "Port": int(port),
            "Meta": {"version": "test", "zone": "local", "contracts": ",".join(contracts), **(meta or {})},
            **({"Check": {**check, "DeregisterCriticalServiceAfter": "1m"}} if grpc else {}),
            **({"Connect": {"SidecarService": sidecar}} if sidecar else {}),
            **({"Weights": weights} if weights else {}),
        }
        await self.put("/v1/agent/service/register", definition)

    async def write(self, service: str, host: str, port: int, *, node: str = "written", native: bool = False) -> None:
        """Write a passing instance into the catalog, in one transaction: no agent runs its check or changes it.

        Its id is made of the service and the host. `native`: it takes calls of Consul's own mesh without a sidecar.
        """
        id_ = f"{service}-{host}"
        written = {"ID": id_, "Service": service, "Address": host, "Port": port, "Connect": {"Native": native}}
        check = {"CheckID": id_, "Name": "written", "Status": "passing", "ServiceID": id_, "Type": "grpc"}
        await self.put(
            "/v1/catalog/register", {"Node": node, "Address": "127.0.0.1", "Service": written, "Check": check}
        )

    async def deregister(self, instance: str) -> None:
        """Take an instance out."""
        await self.put(f"/v1/agent/service/deregister/{instance}")

    async def maintain(self, instance: str, *, enable: bool = True) -> None:
        """Put an instance into maintenance, or take it out of it."""
        await self.put(f"/v1/agent/service/maintenance/{instance}?enable={str(enable).lower()}&reason=test")

    async def instances(self, service: str, *, passing: bool = True) -> list[str]:
        """List the ids of a service's instances."""
        found = await self.get(f"/v1/health/service/{service}{'?passing' if passing else ''}")
        return sorted(entry["Service"]["ID"] for entry in found)

    async def configure(self, kind: str, name: str, **fields: Any) -> None:
        """Write a config entry, in place of the one of that name."""
        await self.put("/v1/config", {"Kind": kind, "Name": name, **fields})

    async def speak_grpc(self) -> None:
        """Say that all services speak gRPC: Consul takes no router or splitter of others."""
        await self.configure("proxy-defaults", "global", Config={"protocol": "grpc"})

    async def erase(self, kind: str, name: str) -> None:
        """Delete a config entry."""
        await self.delete(f"/v1/config/{kind}/{name}")

    async def get(self, path: str) -> Any:
        """Ask the API."""
        assert self._session
        async with self._session.get(path) as response:
            response.raise_for_status()
            return await response.json()

    async def put(self, path: str, body: Any = None) -> None:
        """Tell the API something."""
        assert self._session
        async with self._session.put(path, json=body) as response:
            assert response.status < 300, await response.text()

    async def delete(self, path: str) -> None:
        """Take something back that was put there."""
        assert self._session
        async with self._session.delete(path) as response:
            assert response.status < 300, await response.text()

    def _configuration(self) -> dict[str, Any]:
        return {
            "server": True,
            "bootstrap_expect": 1,
            "node_name": "test",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "data_dir": str(self._folder / "data"),
            "ports": {**self._ports, **dict.fromkeys(("dns", "grpc_tls", "serf_wan"), -1)},
            "performance": {"raft_multiplier": 1},
            "log_level": "warn",
            "disable_update_check": True,
            **self._given,
        }

    async def _has_leader(self) -> bool:
        return bool(await self.get("/v1/status/leader")) and bool(await self.get("/v1/health/node/test"))

    async def _until(self, condition: Any, what: str) -> None:
        """Ask again and again, because a starting agent has nothing to wait on."""
        assert self._child
        try:
            async with asyncio.timeout(DEADLINE):
                while not await _quietly(condition):
                    assert self._child.status is None, f"Consul ended:\n{self._child.errors()}"
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"Consul has not {what} after {DEADLINE} s:\n{self._child.errors()}") from error


async def _quietly(condition: Any) -> bool:
    try:
        return bool(await condition())
    except (aiohttp.ClientError, TimeoutError):
        return False
