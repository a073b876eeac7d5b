"""The stack of one machine: how long a warm start takes, what it holds, and what killed instances cost.

There is no other product to compare a start with here; the aims are those of the project. What kills cost is compared
with the same kills under a load that ignores the mesh's retry policy, in the same run. Each killed instance is frozen
for a moment before, so that calls are surely on their way to it when it dies. Everything runs on free ports in a folder
of its own. What a start costs with empty caches is measured by bench/cold.py.

    python bench/stack.py [--runs 5]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import figures
from harness.load import GET_PRODUCT, Load, build
from harness.stack import Stack, eventually

RATE = 200
KILLS = 5
MEGABYTE = 1e6


def main() -> int:
    """Measure, print, write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "state") as stack:
        results = measure(stack, build(Path(folder)), runs)
    figures.show(results)
    figures.write("stack", results)
    return 0


def measure(stack: Stack, program: Path, runs: int) -> list[figures.Figure]:
    """Start a stack, kill instances under load and end it, as often as asked with retries and as often without."""
    starts, memory, back, calls = [], [], [], []
    failed: dict[bool, list[float]] = {True: [], False: []}
    stack.up()  # the first start builds
    for retries in (True, False) * runs:
        stack.run("down")  # a supervisor waits longer from kill to kill; a new one begins anew
        began = time.monotonic()
        processes = stack.up()
        starts.append(time.monotonic() - began)
        memory.append(sum(each["memory_bytes"] for each in processes) / MEGABYTE)
        summary, away = killed(stack, program, retries=retries)
        failed[retries].append(sum(summary["failed"].values()))
        calls.append(summary["calls"])
        back.append(away[0])
    own = "the aim of the project"
    pss = f"{own}, for the sum of what is resident; PSS splits shared pages between those that share them"
    kills = (
        f"of {min(calls)} to {max(calls)} GetProduct at {RATE} a second, "
        f"{KILLS} times SIGSTOP and kill -9 of one of two instances"
    )
    return [
        figures.Figure(figure="warm up to all serving", values=starts, unit="s", against=own, aim={"max": 10}),
        figures.Figure(figure="whole stack in memory (PSS)", values=memory, unit="MB", against=pss, aim={"max": 600}),
        figures.Figure(
            figure="failed, default policy", values=failed[True], unit="calls", against=kills, aim={"max": 0}
        ),
        figures.Figure(figure="failed, retries off", values=failed[False], unit="calls", against=kills),
        figures.Figure(
            figure="killed to passing again, first kill", values=back, unit="s", against=own, aim={"max": 5}
        ),
    ]


def killed(stack: Stack, program: Path, *, retries: bool) -> tuple[dict[str, Any], list[float]]:
    """Kill an instance several times under load; give the load's summary and how long it was away each time."""
    words = (*GET_PRODUCT, f"-retries={str(retries).lower()}")
    away = []
    with Load(program, stack.address("control"), *words, rate=RATE) as load:
        for _ in range(KILLS):
            load.run_for(2)
            pid = stack.processes()["catalog-1"]["pid"]
            load.kill(pid)
            began = time.monotonic()
            eventually(lambda pid=pid: stack.serves("catalog-1", instead_of=pid), within=60)
            away.append(time.monotonic() - began)
        load.run_for(2)
    return load.summary, away


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
