"""What a measurement ends with: figures with their aim and spread, as a table for people and files for docs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chart

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure: the median of several runs, with the quartiles around it."""

    figure: str
    """What was measured, in a few words."""
    values: Sequence[float]
    """One value for each run."""
    unit: str
    against: str
    """What it is compared with."""
    aim: dict[str, float] | None = None
    """`{"max": x}` or `{"min": x}`; None where nothing is aimed at."""
    side: str = ""
    """Which of the things that are compared it is of, where all have a figure of the same name; these are shown
    beside each other."""

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The values that a quarter of the runs are below and above."""
        if len(self.values) < 2:
            return self.value, self.value
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        if self.aim is None:
            return None
        return self.aim.get("min", self.value) <= self.value <= self.aim.get("max", self.value)


def lost(of: str, side: str, made: int, failed: int, *, against: str, aim: dict[str, float] | None) -> list[Figure]:
    """Give the two figures of a load: how many calls were made, and how many of them failed, for which the aim is."""
    return [
        Figure(figure=f"{of}: made", side=side, values=[made], unit="calls", against=against),
        Figure(figure=f"{of}: failed", side=side, values=[failed], unit="calls", against=against, aim=aim),
    ]


def write(name: str, figures: Sequence[Figure]) -> Path:
    """Write `bench/results/NAME.json`, and the picture of it beside it; give where the former lies."""
    path = ROOT / "bench" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    records = [_record(figure) for figure in figures]
    path.write_text(json.dumps(records, indent=2) + "\n")
    path.with_suffix(".svg").write_text(chart.svg(name, records))
    return path


def show(figures: Sequence[Figure]) -> None:
    """Print a table."""
    names = [f"{figure.figure}: {figure.side}" if figure.side else figure.figure for figure in figures]
    width = max(map(len, names))
    for name, figure in zip(names, figures, strict=True):
        low, high = figure.quartiles
        aim = "".join(f"  aim: {which} {aim:g}" for which, aim in (figure.aim or {}).items())
        missed = "  MISSED" if figure.reached is False else ""
        spread = f"({chart.number(low)} to {chart.number(high)}, {len(figure.values)} runs)"
        print(f"{name:{width}}  {chart.number(figure.value):>10} {figure.unit:8} {spread}{aim}{missed}")


def _record(figure: Figure) -> dict[str, Any]:
    low, high = figure.quartiles
    return {
        "figure": figure.figure,
        **({"side": figure.side} if figure.side else {}),
        "aim": figure.aim,
        "value": round(figure.value, 4),
        "unit": figure.unit,
        "low": round(low, 4),
        "high": round(high, 4),
        "against": figure.against,
        "runs": len(figure.values),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
