"""gossamer call: any method of any service, found through the mesh and called as a client of the mesh."""

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import grpc
import typer

from gossamer_mesh import dynamic
from gossamer_mesh.cli import mesh, stack
from gossamer_mesh.cli.tracing import traced
from gossamer_mesh.errors import Problem, UsageProblem
from gossamer_mesh.local.launch import bootstrap


def call(
    service: Annotated[str, typer.Argument(help="A service, such as catalog.")],
    method: Annotated[str, typer.Argument(help="A method, such as ListProducts.")],
    request: Annotated[str, typer.Argument(help="The request as JSON; - reads it from standard input.")] = "{}",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Metadata to send, as 'key: value'.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", "-t", help="Seconds the call may take.", min=0.001, max=86400)
    ] = 5.0,
    instance: Annotated[str, typer.Option("--instance", "-i", help="Call this instance only.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a response, and errors as JSON.")] = False,
) -> None:
    """Call a method of a service. What it answers is printed as JSON; the trace's id goes to standard error."""
    current = stack.current()
    target = _target(current.name, current.addresses["control"], service, instance)
    metadata = _pairs(header or ())
    text = sys.stdin.read() if request == "-" else request
    with grpc.insecure_channel(target) as channel:
        server = dynamic.Server(channel)
        found = server.method(method)
        name, collector = f"gossamer call {service} {found.name}", current.addresses["otlp_grpc"]
        began = time.perf_counter()
        try:
            with traced(name, channel, collector) as (trace_id, calls):
                for answer in server.call(found, text, metadata=metadata, timeout=timeout, channel=calls):
                    sys.stdout.write(json.dumps(answer, indent=None if as_json else 2, ensure_ascii=False) + "\n")
                    sys.stdout.flush()
                took = dynamic.elapsed_ms(began)
        except dynamic.Refusal as refusal:
            if as_json:
                error = {"status": refusal.status, "message": refusal.message, "details": refusal.details}
                sys.stdout.write(json.dumps({"error": error, "trace_id": trace_id}) + "\n")
                raise typer.Exit(1) from None
            lines = [f"{refusal.status}: {refusal.message}", *map(json.dumps, refusal.details)]
            raise Problem("\n  ".join([*lines, f"see: gossamer trace {trace_id}"])) from None
    if not as_json:
        sys.stderr.write(f"{took:.1f} ms; see: gossamer trace {trace_id}\n")


def _target(name: str, control: str, service: str, instance: str) -> str:
    found = mesh.service(control, service)
    if instance:
        return mesh.instance(found, instance).address
    client = f"cli-{os.getpid()}"
    os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = bootstrap(name, client, client, "local", control)
    return f"xds:///{service}"


def _pairs(headers: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for each in headers:
        key, colon, value = each.partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon or not re.fullmatch(r"[a-z0-9._-]+", key) or not (value.isascii() and value.isprintable()):
            raise UsageProblem(f"metadata must be written as 'key: value' in printable ASCII, found {each!r}")
        if key.endswith("-bin"):
            raise UsageProblem(f"binary metadata can't be sent from here, found {key!r}")
        pairs.append((key, value))
    return pairs
