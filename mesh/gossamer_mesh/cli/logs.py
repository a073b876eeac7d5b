"""gossamer logs: what the processes wrote, in the order of time, and further as they write."""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gossamer_mesh.cli import show, stack
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import logs as files

LOOK_S = 0.2
STYLES = {"error": "bold red", "warning": "yellow", "warn": "yellow", "debug": "dim"}
KNOWN = ("time", "@timestamp", "level", "@level", "service", "instance", "message", "@message")
# RFC 3339 as JSON lines have it, Go's with nanoseconds; and as PostgreSQL's lines begin: 2026-11-23 16:38:49.123 UTC.
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d* ?(Z|UTC|[+-]\d\d:\d\d)?")


def logs(
    name: Annotated[str, typer.Argument(help="A service or process; all when none.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines to show.", min=0)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they were written.")] = False,
) -> None:
    """Show what services and parts logged. Also works when the stack is down."""
    folder = stack.folder().logs
    chosen = _chosen(folder, name)
    if not chosen:
        there = ", ".join(_chosen(folder, "")) or "none yet; start the stack: gossamer up"
        raise Problem(f"no logs of {name!r}; there are: {there}" if name else f"no logs in {folder}: {there}")
    followers = {stem: files.Follower(path) for stem, path in chosen.items()}
    last = [(moment, stem, line) for stem, path in chosen.items() for moment, line in _dated(path, lines)]
    for _, stem, line in sorted(last, key=lambda each: each[0])[-lines or len(last) :]:
        _print(stem, line, as_json=as_json)
    while follow:
        for stem, path in _chosen(folder, name).items():
            for line in followers.setdefault(stem, files.Follower(path, whole=True)).new():
                _print(stem, line, as_json=as_json)
        sys.stdout.flush()
        time.sleep(LOOK_S)


def _chosen(folder: Path, name: str) -> dict[str, Path]:
    """Give the logs of a service or process by the name of the process; all when there is no name."""
    found = {path.stem: path for path in sorted(folder.glob("*.log"))}
    return {stem: path for stem, path in found.items() if not name or name in (stem, stem.rpartition("-")[0])}


def _dated(path: Path, count: int) -> Iterator[tuple[datetime, str]]:
    """Give the last lines of a log with their times; one that tells none has that of the line before it."""
    lines = files.last(path, count)
    moments = [_moment(line) for line in lines]
    at = next((each for each in moments if each), datetime.fromtimestamp(path.stat().st_mtime, UTC))
    for line, moment in zip(lines, moments, strict=True):
        at = moment or at
        yield at, line


def _parsed(line: str) -> dict[str, object]:
    try:
        value = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _moment(line: str) -> datetime | None:
    """Give the time that a line tells: in its JSON, or at its beginning."""
    fields = _parsed(line)
    found = MOMENT.match(str(fields.get("time") or fields.get("@timestamp") or "") if fields else line)
    if not found:
        return None
    day, hour, zone = found.groups()
    zone = zone if zone and zone[0] in "+-" else "+00:00"
    try:
        return datetime.fromisoformat(f"{day}T{hour}{zone}").astimezone(UTC)
    except ValueError:
        return None


def _print(stem: str, line: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(f"{line}\n")
        return
    fields, moment = _parsed(line), _moment(line)
    level = str(fields.get("level") or fields.get("@level") or "")
    text = Text(f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03} " if moment else " " * 13, style="dim")
    text.append(f"{stem:12} ")
    if fields:
        rest = " ".join(f"{key}={value}" for key, value in fields.items() if key not in KNOWN)
        text.append(f"{level:7} ", style=STYLES.get(level, ""))
        text.append(str(fields.get("message") or fields.get("@message") or ""), style="default")
        text.append(f"  {rest}" if rest else "", style="dim")
    else:
        text.append(line, style="default")
    show.console.print(text, soft_wrap=True)
