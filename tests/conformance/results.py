"""What each test says of which language, counted while the tests run: shown as tables, and kept for docs/languages.md.

A test says something of a row of the kit contract in one language, of a pair of caller and callee, or of all languages
at once.
"""

import re
from collections import Counter, defaultdict

import pytest
from conformance import gaps
from harness.probe import ROOT

CACHE = "conformance/results"
"""Where pytest keeps the results of the last run: [kind, row, column, {outcome: tests}] each."""
TITLES = {"row": "rows of the kit contract", "pair": "callers, and whom they call", "all": "all languages at once"}
OUTCOMES = ("passed", "known gap", "failed", "not run")

Cells = dict[tuple[str, str, str], Counter[str]]
"""Outcomes by ("row", row, language), ("pair", caller, callee) or ("all", "", "")."""


def rows() -> list[str]:
    """Read the rows of the kit contract."""
    table = (ROOT / "docs" / "kit.md").read_text().partition("| id | behaviour |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (\w+) \|", table, re.MULTILINE)


def assign(item: pytest.Function) -> None:
    """Note on a test what it says something of, which goes wherever its outcome goes."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    names = [given[name].name for name in ("language", "caller", "callee") if name in given]
    if "language" in given:
        marker = item.get_closest_marker("row")
        if marker is None or marker.args[0] not in rows():
            raise pytest.UsageError(f"{item.nodeid}: expected a mark row(...) that names a row of docs/kit.md")
        cell = ["row", marker.args[0], *names]
    else:
        cell = ["pair", *names] if names else ["all", "", ""]
    item.user_properties.append((CACHE, cell))
    gaps.expect(item, names)


class Results:
    """The outcomes of a run, as a plugin of pytest."""

    def __init__(self) -> None:
        self.cells: Cells = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test did; that it was set up or torn down well says nothing."""
        if report.when == "call" or not report.passed:
            outcome = "not run" if report.skipped else report.outcome
            if report.skipped and hasattr(report, "wasxfail"):
                outcome = "known gap"
            for name, cell in report.user_properties:
                if name == CACHE:
                    self.cells[tuple(cell)][outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Show the tables and keep the results. Test processes of xdist show nothing, and the one that counts does."""
        if not self.cells:
            return
        if cache := getattr(config, "cache", None):  # absent with -p no:cacheprovider
            cache.set(CACHE, [[*key, dict(counts)] for key, counts in sorted(self.cells.items())])
        for kind, title in TITLES.items():
            cells = {(row, column): counts for (of, row, column), counts in self.cells.items() if of == kind}
            if cells:
                terminalreporter.section(f"conformance: {title}")
                for line in _table(cells):
                    terminalreporter.write_line(line)


def _table(cells: dict[tuple[str, str], Counter[str]]) -> list[str]:
    order = rows()
    heads = sorted({row for row, _ in cells}, key=lambda row: (order.index(row) if row in order else 0, row))
    columns = sorted({column for _, column in cells})
    lines = [["", *columns]]
    lines += [[row, *(_text(cells.get((row, column), Counter())) for column in columns)] for row in heads]
    widths = [max(map(len, each)) for each in zip(*lines, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _text(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]) or "not run"
