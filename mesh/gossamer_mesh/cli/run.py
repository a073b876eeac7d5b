"""gossamer run: a gRPC server without any kit as an instance of a service."""

import asyncio
import re
import secrets
import sys
from typing import Annotated

import typer

from gossamer_mesh import foreign
from gossamer_mesh.cli import stack, traffic
from gossamer_mesh.cli.words import duration
from gossamer_mesh.declare.service import NAME, NAME_SHAPE, RESERVED
from gossamer_mesh.errors import Problem, UsageProblem
from gossamer_mesh.local import ports


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="The server and its words.")],
    service: Annotated[str, typer.Option(help="The service that it is an instance of, such as legacy.")],
    port: Annotated[int, typer.Option(help="The port that it listens on.", min=1, max=65535)],
    host: Annotated[str, typer.Option(help="The IP address that others reach it by.")] = "127.0.0.1",
    contract: Annotated[
        list[str] | None, typer.Option(help="A contract that it serves; without any, it is asked by reflection.")
    ] = None,
    instance: Annotated[str, typer.Option(help="Its id; without one, the service's name and something random.")] = "",
    version: Annotated[str, typer.Option(help="Its version label.")] = "dev",
    zone: Annotated[str, typer.Option(help="Its zone.")] = "local",
    start: Annotated[str, typer.Option(help="How long it may take until it serves.")] = "60s",
    drain: Annotated[str, typer.Option(help="How long its end may take.")] = "20s",
    consul: Annotated[
        str, typer.Option(metavar="URL", envvar="CONSUL_HTTP_ADDR", help="Another Consul than that of this checkout.")
    ] = "",
    control: traffic.Control = "",
) -> None:
    """Start any gRPC server, have the mesh call it once it serves, and drain it before it ends; ends with its status.

    SIGTERM and Ctrl-C drain it; a second one skips the waiting. Other signals are passed on.
    """
    if not _is_name(service):
        raise UsageProblem(f"expected --service to be {NAME_SHAPE}, and no part of a stack, found {service!r}")
    if not ports.is_free(port):
        raise Problem(f"port {port} is in use by {ports.holder(port)} already; end it, or choose another")
    consul, control = _mesh(consul, control)
    one = foreign.Instance(
        command=command,
        service=service,
        name=instance or f"{service}-{secrets.token_hex(4)}",
        host=host,
        port=port,
        version=version,
        zone=zone,
        contracts=tuple(contract or ()),
        consul=consul,
        control=control,
        starts_within=duration(start).ToTimedelta().total_seconds(),
        drain=duration(drain).ToTimedelta().total_seconds(),
    )
    raise typer.Exit(asyncio.run(foreign.run(one, lambda text: _say(one.name, text))))


def _is_name(service: str) -> bool:
    return bool(re.fullmatch(NAME, service)) and service not in RESERVED


def _mesh(consul: str, control: str) -> tuple[str, str]:
    """Give where Consul and the control plane are: as they were named, else those of the stack that runs here."""
    if not (consul and control):
        current = stack.current()
        consul, control = consul or current.addresses["consul"], control or current.addresses["control"]
    return consul if "://" in consul else f"http://{consul}", control


def _say(name: str, text: str) -> None:
    sys.stderr.write(f"gossamer: {name}: {text}\n")
    sys.stderr.flush()
