"""Tells what would be refused if some files were written: by Consul, or because no client could follow it.

It is tried: a throw-away Consul gets what the real one has, and then the files. The answer is what is refused of the
files afterwards, and of other entries what was not before.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from gossamer_mesh.consul import questions
from gossamer_mesh.consul.asking import ask
from gossamer_mesh.consul.client import Client
from gossamer_mesh.consul.writing import Refused, Writer
from gossamer_mesh.handles.rehearsal import Rehearsal, RehearsalError, Tried, rehearsal
from gossamer_mesh.model import Mesh
from gossamer_mesh.policy import Contracts, plan
from gossamer_mesh.policy.extras import PREFIX
from gossamer_mesh.policy.stray import stray
from gossamer_mesh.policy.subjects import subjects

WITHIN = 60.0
"""Seconds that all of it may take."""

KINDS = ("proxy-defaults", "service-defaults", "service-resolver", "service-splitter", "service-router")
"""Those that have a say in where calls go, each after those that Consul wants to be there before it."""

ALL_GRPC = {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "grpc"}}


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file that may be written."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """One thing that would be refused."""

    file: str
    """Its name, or that of the entry that another makes impossible to follow."""
    subject: str
    """The field or the entry, as far as it is known."""
    reason: str


async def check(
    files: Sequence[File], program: Path, *, mesh: Mesh, contracts: Contracts, consul: str = ""
) -> list[Finding]:
    """Try to write files, and tell what would be refused.

    Args:
        files: in any order.
        program: `consul`.
        mesh: whose instances there are, and which values.
        contracts: of all services.
        consul: the agent whose entries are there already; empty: there is none, and all services speak gRPC.

    Raises `RehearsalError` when it can't be tried, and `SourceError` when that agent is away.
    """
    values = {file.name: key for file in files if (key := _key(file))}
    try:
        async with asyncio.timeout(WITHIN):
            existing = await _read(consul) if consul else _Existing()
            async with rehearsal(program, existing.datacenter) as stage:
                await _write_all(stage, existing.entries)
                extras = dict(mesh.entries.extras)
                before = await _refusals(stage, mesh, extras, contracts)
                tried = await _try_all(stage, [file for file in files if file.name not in values])
                extras |= {values[file.name].removeprefix(PREFIX): file.text for file in files if file.name in values}
                after = await _refusals(stage, mesh, extras, contracts)
    except TimeoutError:
        raise RehearsalError(f"expected all to be tried within {WITHIN:.0f} s; check fewer files at once") from None
    owners = {tried[name].name: name for name in tried} | {key: name for name, key in values.items()}
    findings = list(_not_taken(tried))
    for subject, reason in after:
        entry = subject.partition(" ")[0].partition("[")[0]
        if entry in owners or (subject, reason) not in before:
            findings.append(Finding(file=owners.get(entry, entry), subject=subject, reason=reason))
    return sorted(set(findings))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Existing:
    """What a Consul has; one without anything, that all services speak gRPC."""

    datacenter: str = "dc1"
    entries: tuple[Mapping[str, Any], ...] = (ALL_GRPC,)


async def _read(consul: str) -> _Existing:
    async with Client(consul) as client:
        _, datacenter = await ask(client, questions.datacenter(client))
        entries: list[Mapping[str, Any]] = []
        for kind in KINDS:
            entries += (await ask(client, questions.config_entries(client, kind)))[1]
    return _Existing(datacenter=datacenter, entries=tuple(entries))


async def _write_all(stage: Rehearsal, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write what is there already. One may need another of its kind, so what is not taken is tried again."""
    left = list(entries)
    async with Writer(stage.url) as writer:
        while left:
            refused = []
            for entry in left:
                try:
                    await writer.write(f"{entry['Kind']}/{entry['Name']}", entry, index=0)
                except Refused:
                    refused.append(entry)
            if len(refused) == len(left):
                return
            left = refused


async def _try_all(stage: Rehearsal, files: Sequence[File]) -> dict[str, Tried]:
    """Try to write files, by name; what is not taken again after the others, as long as that helps."""
    tried: dict[str, Tried] = {}
    left = list(files)
    while left:
        for file in left:
            tried[file.name] = await stage.write(file.text)
        refused = [file for file in left if tried[file.name].name and tried[file.name].refusal]
        if len(refused) == len(left):
            break
        left = refused
    return tried


async def _refusals(
    stage: Rehearsal, mesh: Mesh, extras: Mapping[str, str], contracts: Contracts
) -> set[tuple[str, str]]:
    """Find what no client could follow, as subject and reason."""
    entries = replace(await stage.entries(), extras=extras)
    return await asyncio.to_thread(lambda: set(_left_out(replace(mesh, entries=entries), contracts)))


def _left_out(mesh: Mesh, contracts: Contracts) -> Iterator[tuple[str, str]]:
    # one service at least, so that what holds for all is planned with
    for service in {"any", *mesh.services, *subjects(mesh.entries)}:
        for refusal in plan(service, mesh, contracts).refusals:
            yield refusal.subject, refusal.reason
    for refusal in stray(mesh.entries):
        yield refusal.subject, refusal.reason


def _key(file: File) -> str:
    """Give the key of which a file is the value; empty: it is an entry."""
    parts = PurePosixPath(file.name).with_suffix("").parts
    folder = PREFIX.removesuffix("/")
    if folder not in parts[:-1]:
        return ""
    try:
        document = json.loads(file.text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and document.keys() & {"Kind", "kind"}:
        return ""
    begin = len(parts) - 1 - parts[::-1].index(folder)
    return "/".join(parts[begin:])


def _not_taken(tried: Mapping[str, Tried]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for file, each in tried.items():
        if each.refusal:
            yield Finding(file=file, subject=each.name, reason=f"Consul does not take it: {each.refusal}")
        elif each.name in owners:
            yield Finding(file=file, subject=each.name, reason=f"it is in {owners[each.name]} already")
        else:
            owners[each.name] = file
