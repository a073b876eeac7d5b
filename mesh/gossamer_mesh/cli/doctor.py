"""gossamer doctor: what this machine has of what the stack needs, and how to get what is missing."""

import asyncio
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gossamer_mesh.cli import show, stack
from gossamer_mesh.declare import Workspace, load
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import build, client, parts, ports, postgres, valkey
from gossamer_mesh.local.folder import StateFolder


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Check this machine: tools, programs, ports and declarations."""
    root = stack.root()
    workspace = load(root)
    findings = [_python(), *_programs(), _postgres(), _valkey(), *_languages(workspace), *_ports(workspace)]
    if as_json:
        show.as_json([asdict(each) for each in findings])
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for each in findings:
            mark = Text("ok", style="green") if each.ok else Text("missing", style="bold red")
            table.add_row(mark, each.name, each.found, Text(each.advice, style="dim"))
        show.console.print(table)
    if not all(each.ok for each in findings):
        raise Problem("something is missing; the lines above say how to get it")


def _python() -> Finding:
    return Finding("python", ok=True, found=f"{platform.python_version()}  {sys.executable}")


def _programs() -> list[Finding]:
    try:
        go = parts.find_go()
        version = ".".join(map(str, parts.version_of([str(go), "version"]) or ()))
        findings = [Finding("go", ok=True, found=f"{version}  {go}")]
    except Problem as problem:
        findings = [Finding("go", ok=False, found=str(problem))]
    for name in ("consul", "grpcurl"):
        if found := parts.find(name):
            findings.append(Finding(name, ok=True, found=f"{found.version}  {found.path} ({found.origin})"))
        else:
            how = f"gossamer up brings {parts.VERSIONS[name]}: built from source" + (
                " in about 5 minutes, unless the vendor's archive can be reached"
                if name == "consul"
                else " in a minute"
            )
            findings.append(Finding(name, ok=findings[0].ok, found="not there yet", advice=how))
    return findings


def _postgres() -> Finding:
    try:
        folder = asyncio.run(postgres.find_programs())
    except postgres.PostgresError as error:
        return Finding("postgres", ok=False, found=str(error))
    version = parts.version_of([str(Path(folder) / "postgres"), "--version"]) or ()
    return Finding("postgres", ok=True, found=f"{'.'.join(map(str, version))}  {folder}")


def _valkey() -> Finding:
    try:
        program = valkey.find_program()
    except valkey.ValkeyUnusableError as error:
        return Finding("valkey", ok=False, found=str(error))
    version = parts.version_of([str(program), "--version"]) or ()
    return Finding("valkey", ok=True, found=f"{'.'.join(map(str, version))}  {program}")


def _languages(workspace: Workspace) -> list[Finding]:
    findings = []
    for name, kit in workspace.kits.items():
        lacking = build.missing_tool(kit)
        services = ", ".join(each.name for each in workspace.services.values() if each.language == name) or "no service"
        findings.append(
            Finding(f"language {name}", ok=not lacking, found=lacking or f"can be built and run: {services}")
        )
    return findings


def _ports(workspace: Workspace) -> list[Finding]:
    if client.runs(StateFolder(workspace.settings.state)):
        return [Finding("ports", ok=True, found="in use by this checkout's own stack, which runs")]
    wanted = ports.wanted(workspace.settings)
    try:
        ports.require_free(wanted)
    except Problem as problem:
        return [Finding("ports", ok=False, found=str(problem))]
    listed = ", ".join(f"{port} ({name})" for name, port in wanted.items())
    return [Finding("ports", ok=True, found=listed or "the system chooses free ones")]
