"""Runs measurements: all of bench/, or those that are named. Each is a program of its own that says what it compares.

    python bench/run.py                 # all, one after the other, but for those that must be named
    python bench/run.py kit_overhead

Then writes docs/performance.md from the newest results of all measurements.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
NOT_MEASUREMENTS = {"run", "figures", "chart", "ways"}
ONLY_WHEN_NAMED = {"cold"}  # downloads and builds for minutes
ENDS_WITHIN_S = 60
PAGE = BENCH.parent / "docs" / "performance.md"


def main() -> int:
    """Run what is asked for; return the exit status."""
    known = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in NOT_MEASUREMENTS)
    wanted = sys.argv[1:] or [name for name in known if name not in ONLY_WHEN_NAMED]
    if unknown := set(wanted) - set(known):
        sys.stderr.write(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(known)}\n")
        return 2
    failed = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        if measured(name) != 0:
            failed.append(name)
    PAGE.write_text(page())
    if failed:
        sys.stderr.write(f"these measurements failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def measured(name: str) -> int:
    """Run a measurement and give its exit status. When a person stops it, it gets the time to end what it started."""
    with subprocess.Popen([sys.executable, BENCH / f"{name}.py"], cwd=BENCH.parent) as program:
        try:
            return program.wait()
        except KeyboardInterrupt:  # a terminal has told the program, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(ENDS_WITHIN_S)
            program.terminate()
            raise


def page() -> str:
    """Make the page of all results."""
    lines = [
        "# Performance",
        "",
        "Made by `make bench` from `bench/results/`; not by hand. Values are medians, with the quartiles of all",
        "runs; what each is compared with is in the last column. How each is measured stands in the first lines of",
        "`bench/NAME.py`.",
    ]
    for path in sorted((BENCH / "results").glob("*.json")):
        results = json.loads(path.read_text())
        machine = f"{results[0]['machine']}, commit {results[0]['commit']}" if results else ""
        picture = ["", f"![{path.stem}](../bench/results/{path.stem}.svg)"] if path.with_suffix(".svg").exists() else []
        lines += ["", f"## {path.stem}", "", f"Measured on {machine}.", *picture]
        lines += one_by_one([each for each in results if "side" not in each])
        lines += side_by_side([each for each in results if "side" in each])
        if (notes := path.with_suffix(".md")).exists():  # what a person says to it
            lines += ["", notes.read_text().strip()]
    return "\n".join(lines) + "\n"


def one_by_one(results: list[dict[str, Any]]) -> list[str]:
    """Make a table with a line for each figure; nothing for none."""
    if not results:
        return []
    head = ["| figure | value | low to high | runs | aim | reached | against |", "|---|---|---|---|---|---|---|"]
    return ["", *head, *map(row, results)]


def side_by_side(results: list[dict[str, Any]]) -> list[str]:
    """Make a table with a line for all figures of one name and a column for each side; nothing for none."""
    if not results:
        return []
    sides = list(dict.fromkeys(each["side"] for each in results))
    cells = {(each["figure"], each["side"]): cell(each) for each in results}
    units = {each["figure"]: each["unit"] for each in results}
    lines = ["", f"| figure | {' | '.join(sides)} |", "|---|" + "---|" * len(sides)]
    for figure, unit in units.items():
        lines.append(f"| {figure}, {unit} | {' | '.join(cells.get((figure, side), '') for side in sides)} |")
    return lines


def row(each: dict[str, Any]) -> str:
    """Make the line of one figure."""
    spread = f"{each['low']:g} to {each['high']:g}"
    cells = [each["figure"], f"{each['value']:g} {each['unit']}", spread, each["runs"], aim(each), reached(each)]
    return "| " + " | ".join(map(str, [*cells, each["against"]])) + " |"


def cell(each: dict[str, Any]) -> str:
    """Make what stands in the column of a side."""
    aimed = f"; {aim(each)}: {reached(each)}" if each["aim"] else ""
    return f"{each['value']:g} ({each['low']:g} to {each['high']:g}){aimed}"


def aim(each: dict[str, Any]) -> str:
    """Say what is aimed at."""
    return ", ".join(f"{'at most' if key == 'max' else 'at least'} {it:g}" for key, it in (each["aim"] or {}).items())


def reached(each: dict[str, Any]) -> str:
    """Say whether the aim is reached; nothing without one."""
    low, high = (each["aim"] or {}).get("min", each["value"]), (each["aim"] or {}).get("max", each["value"])
    return ("yes" if low <= each["value"] <= high else "**no**") if each["aim"] else ""


if __name__ == "__main__":
    sys.exit(main())
