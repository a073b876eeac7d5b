"""Runs measurements: all of bench/, or those that are named. Each is a program of its own that says what it compares.

    python bench/run.py                 # all, one after the other, but for those that must be named
    python bench/run.py kit_overhead

Then writes docs/performance.md from the newest results of all measurements.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
NOT_MEASUREMENTS = {"run", "figures"}
ONLY_WHEN_NAMED = {"cold"}  # downloads and builds for minutes
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
        if subprocess.run([sys.executable, BENCH / f"{name}.py"], cwd=BENCH.parent, check=False).returncode != 0:
            failed.append(name)
    PAGE.write_text(page())
    if failed:
        sys.stderr.write(f"these measurements failed: {', '.join(failed)}\n")
    return 1 if failed else 0


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
        lines += ["", f"## {path.stem}", "", f"Measured on {machine}.", ""]
        lines += ["| figure | value | low to high | runs | aim | reached | against |", "|---|---|---|---|---|---|---|"]
        lines += [row(each) for each in results]
    return "\n".join(lines) + "\n"


def row(each: dict[str, Any]) -> str:
    """Make the line of one figure."""
    aim = ", ".join(
        f"{'at most' if key == 'max' else 'at least'} {value:g}" for key, value in (each["aim"] or {}).items()
    )
    low, high = (each["aim"] or {}).get("min", each["value"]), (each["aim"] or {}).get("max", each["value"])
    reached = ("yes" if low <= each["value"] <= high else "**no**") if each["aim"] else ""
    spread = f"{each['low']:g} to {each['high']:g}"
    cells = [each["figure"], f"{each['value']:g} {each['unit']}", spread, each["runs"], aim, reached, each["against"]]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    sys.exit(main())
