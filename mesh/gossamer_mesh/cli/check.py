"""gossamer check: what would be refused if some entries were written, before they are."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.text import Text

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import rehearsing, show, stack, traffic
from gossamer_mesh.errors import UsageProblem
from gossamer_mesh.local import client

TRIES_WITHIN_S = 90.0
AGENT = "agent.hcl"  # how Consul is run: no entry


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files or folders; without any, consul/.")
    ] = None,
    control: traffic.Control = "",
    as_json: traffic.Json = False,
) -> None:
    """Try entries with a throw-away Consul; whatever would be refused is told, with status 1."""
    request = pb.CheckEntriesRequest(files=[_file(path) for path in _paths(files or [stack.root() / "consul"])])
    if not request.files:
        raise UsageProblem("expected files that end with .json or .hcl, found none")
    if control or client.runs(stack.folder()):
        with traffic.connect(control) as api:
            findings = list(api.CheckEntries(request, timeout=TRIES_WITHIN_S).findings)
    else:
        findings = asyncio.run(rehearsing.check(request.files, stack.root()))
    if as_json:
        show.as_json({"findings": [MessageToDict(each, preserving_proto_field_name=True) for each in findings]})
    for each in findings if not as_json else ():
        show.console.print(Text.assemble((each.file, "bold"), ": ", (each.subject, "red"), f": {each.reason}"))
    if findings:
        raise typer.Exit(1)
    if not as_json:
        show.console.print(f"nothing of {len(request.files)} files would be refused")


def _paths(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        inside = sorted(each for each in path.rglob("*") if each.suffix in {".json", ".hcl"} and each.is_file())
        found += [each for each in inside if each.name != AGENT] if path.is_dir() else [path]
    return found


def _file(path: Path) -> pb.EntryFile:
    whole, root = path.resolve(), stack.root()
    name = str(whole.relative_to(root) if whole.is_relative_to(root) else path)
    try:
        return pb.EntryFile(name=name, text=path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None
