"""How processes look in a terminal, and as JSON."""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gossamer.local.v1 import stack_pb2 as pb

STYLES = {
    "serving": "green",
    "starting": "cyan",
    "building": "cyan",
    "waiting": "dim",
    "draining": "yellow",
    "backoff": "red",
    "failed": "bold red",
    "skipped": "yellow",
    "stopped": "dim",
}
MEGABYTE = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86400

# Most of what is shown was written by others, who mean no markup by [brackets] and no emoji by :colons:.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def state(process: pb.Process) -> str:
    """Give the state of a process as one word."""
    return pb.ProcessState.Name(process.state).removeprefix("PROCESS_STATE_").lower()


def styled(word: str) -> Text:
    """Give a state in its colour."""
    return Text(word, style=STYLES.get(word, ""))


def age(seconds: float) -> str:
    """Give a time span in the two units that say most, such as "3m 12s"."""
    whole = int(max(0, seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE}m"
    return f"{whole // DAY}d {whole % DAY // HOUR}h"


def processes(stack: pb.Stack, health: Mapping[str, str]) -> Table:
    """Draw the table of all processes; health is by instance."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("process", "state", "health", "address", "uptime"):
        table.add_column(title, no_wrap=True)
    table.add_column("restarts", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("")  # the one that may become narrower
    for each in stack.processes:
        running = each.pid != 0
        table.add_row(
            each.name,
            styled(state(each)),
            health.get(each.name, "" if each.service else "-"),
            each.address,
            age(time.time() - each.start_time.ToMilliseconds() / 1000) if running else "",
            str(each.restarts),
            f"{each.memory_bytes / MEGABYTE:.0f} MB" if running else "",
            Text(each.detail, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    total = sum(each.memory_bytes for each in stack.processes)
    table.add_row("", "", "", "", "", "", f"{total / MEGABYTE:.0f} MB", Text("in all", style="dim"), style="dim")
    return table


def troubles(processes: Iterable[pb.Process]) -> None:
    """Print why processes do not come up or are left out, and the last lines they wrote."""
    for each in processes:
        why = f" is left out: {each.detail}" if state(each) == "skipped" else f": {each.detail}"
        console.print(Text.assemble("\n", (each.name, "bold"), why))
        for line in each.last_lines:
            console.print(Text(f"  {line}", style="dim"))


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def process_dict(process: pb.Process, health: Mapping[str, str]) -> dict[str, Any]:
    """Give a process as JSON values."""
    told = MessageToDict(process, preserving_proto_field_name=True)
    told |= {
        "state": state(process),
        "pid": process.pid,
        "memory_bytes": process.memory_bytes,
        "restarts": process.restarts,
    }
    if process.service:
        told["health"] = health.get(process.name, "unknown")
    return told
