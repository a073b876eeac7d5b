"""The stack of one machine: how long a warm start takes, what it holds, and what a killed instance costs.

There is no other product to compare a start with here; the aims are those of the project. What a kill costs is compared
with the same load that ignores the mesh's retry policy, in the same run. Everything runs on free ports in a folder of
its own.

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
from harness.load import Load, build
from harness.stack import Stack, eventually

GET = ("-target=xds:///catalog", "-method=CatalogService/GetProduct", "-id=alpaca-throw")
RATE = 200
SECONDS = 6
MEGABYTE = 1e6


def main() -> int:
    """Measure, print, write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        stack = Stack(Path(folder) / "state")
        try:
            results = measure(stack, program, runs)
        finally:
            stack.down()
    figures.show(results)
    figures.write("stack", results)
    return 0


def measure(stack: Stack, program: Path, runs: int) -> list[figures.Figure]:
    """Start and end a stack as often as asked, then kill instances under load."""
    starts, memory = [], []
    stack.up()  # the first start builds
    for _ in range(runs):
        stack.run("down")
        began = time.monotonic()
        processes = stack.up()
        starts.append(time.monotonic() - began)
        memory.append(sum(each["memory_bytes"] for each in processes) / MEGABYTE)
    failed: dict[bool, list[float]] = {True: [], False: []}
    back = []
    for _ in range(runs):
        for retries in (True, False):
            summary, seconds = killed(stack, program, retries=retries)
            failed[retries].append(sum(summary["failed"].values()))
            back.append(seconds)
    calls = f"of {RATE * SECONDS} GetProduct at {RATE} a second, kill -9 of one of two instances"
    own = "the aim of the project"
    return [
        figures.Figure(figure="warm up to all serving", values=starts, unit="s", against=own, aim={"max": 10}),
        figures.Figure(figure="whole stack in memory (PSS)", values=memory, unit="MB", against=own, aim={"max": 600}),
        figures.Figure(
            figure="failed, default policy", values=failed[True], unit="calls", against=calls, aim={"max": 0}
        ),
        figures.Figure(figure="failed, retries off", values=failed[False], unit="calls", against=calls),
        figures.Figure(figure="killed to passing again", values=back, unit="s", against=own, aim={"max": 5}),
    ]


def killed(stack: Stack, program: Path, *, retries: bool) -> tuple[dict[str, Any], float]:
    """Kill an instance under load; give the load's summary and how long the instance was away."""
    words = (*GET, f"-retries={str(retries).lower()}")
    with Load(program, stack.address("control"), *words, seconds=SECONDS, rate=RATE) as load:
        load.run_for(2)
        pid = stack.processes()["catalog-1"]["pid"]
        began = time.monotonic()
        stack.run("kill", "catalog-1")
        eventually(lambda: stack.processes()["catalog-1"]["pid"] not in (0, pid) and stack.serves("catalog-1"))
        away = time.monotonic() - began
    return load.summary, away


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
