"""The stack's settings: gossamer.yaml and the few environment variables that override it, read in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gossamer_mesh.declare.document import Document
from gossamer_mesh.declare.service import NAME, NAME_SHAPE

PORTS = {
    "consul": 8500,
    "control": 18000,
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "jaeger": 16686,
    "postgres": 15432,
    "valkey": 16379,
    "instances": 20000,
}
HIGHEST = 65535
LOWEST = {"consul": 201}  # our own Consul has two more, the lower one 200 below


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one stack is run.

    Attributes:
        name: the stack's name, the first part of every node id.
        ports: by part, the offset already added; 0 where the system chooses.
        state: the folder that holds everything the stack keeps.
        consul_address: a Consul that someone else runs, as a URL; None starts our own.
    """

    name: str
    ports: Mapping[str, int]
    state: Path
    consul_address: str | None


def read(document: Document, root: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a checkout, noting every mistake in the document.

    Environment: GOSSAMER_PORT_OFFSET (a number added to every port, or "free": the system chooses all),
    GOSSAMER_STATE (the state folder, default .gossamer) and CONSUL_HTTP_ADDR.
    """
    environment = os.environ if environment is None else environment
    document.only("name", "ports")
    state = (root / (environment.get("GOSSAMER_STATE") or ".gossamer")).resolve()
    if state.exists() and not state.is_dir():
        document.wrong_variable("GOSSAMER_STATE", f"must be a folder, found a file at {state}")
    return Settings(
        name=document.text("name", default="shop", pattern=NAME, shape=NAME_SHAPE),
        ports=_ports(document, environment.get("GOSSAMER_PORT_OFFSET") or "0"),
        state=state,
        consul_address=_url(document, environment.get("CONSUL_HTTP_ADDR")),
    )


def _ports(document: Document, offset: str) -> dict[str, int]:
    given = document.values.get("ports") or {}
    if not isinstance(given, dict):
        document.wrong("ports", f"'ports' must hold names and numbers, found {given!r}")
        given = {}
    for name in sorted(given.keys() - PORTS.keys(), key=str):
        document.wrong("ports", f"unknown port {name!r}; known ports: {', '.join(PORTS)}")
    if offset == "free":
        return dict.fromkeys(PORTS, 0)
    try:
        moved = int(offset)
    except ValueError:
        document.wrong_variable("GOSSAMER_PORT_OFFSET", f"must be a number or 'free', found {offset!r}")
        moved = 0
    ports = {}
    for name, default in PORTS.items():
        port, low = given.get(name, default), LOWEST.get(name, 1)
        if isinstance(port, bool) or not isinstance(port, int) or not low <= port <= HIGHEST:
            document.wrong("ports", f"port {name!r} must be from {low} to {HIGHEST}, found {port!r}")
            port = default
        if not low <= port + moved <= HIGHEST:
            message = f"moves port {name!r} to {port + moved}; it must be from {low} to {HIGHEST}"
            document.wrong_variable("GOSSAMER_PORT_OFFSET", message)
        ports[name] = port + moved
    for port in sorted({port for port in ports.values() if list(ports.values()).count(port) > 1}):
        names = " and ".join(repr(name) for name in ports if ports[name] == port)
        document.wrong("ports", f"each port must be another, found {port} for {names}")
    return ports


def _url(document: Document, address: str | None) -> str | None:
    if not address:
        return None
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        good = False
    if not good:
        document.wrong_variable("CONSUL_HTTP_ADDR", f"must be host:port or http://host:port, found {address!r}")
    return url
