"""Writes docs/languages.md from the results of the last run of the suite; `make languages` does both.

With --check it runs nothing, and fails when a row has no test, a gap is of no test, or the page, where there is one, is
not about the rows, languages, versions, tests and gaps that there are: all but its numbers.
"""

import json
import re
import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from conformance.gaps import GAPS
from conformance.results import CACHE, rows
from harness.probe import ROOT, languages

PAGE = ROOT / "docs" / "languages.md"
HERE = Path(__file__).parent

GRPC = {
    "go": ("grpc-go", "go.mod", r"^\tgoogle\.golang\.org/grpc v(\S+)$"),
    "java": ("grpc-java", "kits/java/parent/pom.xml", r"<grpc\.version>(.+)</grpc\.version>"),
    "python": ("grpcio", "requirements.lock", r"^grpcio==(\S+)"),
    "rust": ("tonic", "Cargo.lock", r'^name = "tonic"\nversion = "(.+)"$'),
    "typescript": ("@grpc/grpc-js", "package-lock.json", r'"node_modules/@grpc/grpc-js": \{\s+"version": "(.+)"'),
}
"""Each language's gRPC library, the file that pins it, and what its version looks like there."""

NUMBER = re.compile(r"(?<=\| )(\d+|\d+ and \d+ known gaps?|)(?= \|)")
"""A cell that a run fills in."""

Cells = dict[tuple[str, str, str], dict[str, int]]


def page(cells: Cells) -> str:
    """Write the page about a run, or with no cells what of the page needs no run."""
    names = [language.name for language in languages()]
    contract = [
        [f"[{row}](kit.md)", *(_number(cells, "row", row, name) for name in names), _proofs(row)] for row in rows()
    ]
    pairs = [[caller, *(_number(cells, "pair", caller, callee) for callee in names)] for caller in names]
    at_once = [["[chains](../tests/conformance/test_chains.py) and comparisons", _number(cells, "all", "", "")]]
    gaps = [[gap.language, _sentence(gap.test), gap.reason, f"<{gap.upstream}>"] for gap in GAPS]
    return f"""\
# What each language can do

`make languages` runs the [conformance suite](../tests/conformance) and writes this page from its results. A number says
how many tests passed: none failed, or there were no page. A known gap is a test that is expected to fail for the
reason given below; it fails the run as soon as it passes.

{_table(["", *names], [["language", *map(_language, names)], ["gRPC", *map(_grpc, names)]])}

## Rows of the kit contract

{_table(["row", *names, "shown by"], contract)}

## From each language to each

Calls, their errors, what they measure, and drains and crashes of an instance under load. Callers stand on the left.

{_table(["", *names], pairs)}

## All languages at once

{_table(["", "all"], at_once)}

## Known gaps

{_table(["language", "test", "reason", "upstream"], gaps) if gaps else "None."}
"""


def problems() -> list[str]:
    """Say what of the page, or of the list of gaps, isn't about what there is."""
    names = [language.name for language in languages()]
    found = [f"no test is marked row({row!r}), which docs/kit.md has" for row in rows() if not _proofs(row)]
    tests = "".join(path.read_text() for path in _modules())
    found += [
        f"tests/conformance/gaps.py: no test {gap.test} of a language {gap.language}"
        for gap in GAPS
        if gap.language not in names or f"def {gap.test}(" not in tests
    ]
    if PAGE.exists() and NUMBER.sub("", PAGE.read_text()) != NUMBER.sub("", page({})):
        found.append("docs/languages.md is of other rows, languages, versions, tests or gaps; run: make languages")
    return found


def _table(head: list[str], lines: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def _number(cells: Cells, *key: str) -> str:
    counts = cells.get((key[0], key[1], key[2]), {})
    gaps = counts.get("known gap", 0)
    passed = str(counts.get("passed", 0)) if counts else ""
    return f"{passed} and {gaps} known gap{'s' * (gaps > 1)}" if gaps else passed


def _language(name: str) -> str:
    kit: dict[str, Any] = yaml.safe_load((ROOT / "kits" / name / "kit.yaml").read_text())
    tool = kit["tools"][0]
    return f"{tool['name']} {tool['minimum']} or newer"


def _grpc(name: str) -> str:
    library, file, pattern = GRPC[name]
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert found, f"expected {pattern!r} in {file}, which pins {library}"
    return f"{library} {found[1]}"


def _modules() -> list[Path]:
    return sorted(HERE.glob("test_*.py"))


def _proofs(row: str) -> str:
    """Link the modules that have tests marked with a row."""
    modules = [path.name for path in _modules() if f'mark.row("{row}")' in path.read_text()]
    return ", ".join(f"[{name}](../tests/conformance/{name})" for name in modules)


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _last_run() -> Cells:
    """Read what pytest kept of the run. Fails when that was not all of the suite, or not all of it passed."""
    kept = json.loads((ROOT / ".pytest_cache" / "v" / CACHE).read_text())
    cells = {(kind, row, column): counts for kind, row, column, counts in kept}
    bad = [cell for cell, counts in cells.items() if counts.keys() - {"passed", "known gap"}]
    assert not bad, f"tests failed, or were not run, in: {bad}"
    names = [language.name for language in languages()]
    whole = {("row", *cell) for cell in product(rows(), names)} | {("pair", *pair) for pair in product(names, names)}
    assert cells.keys() >= whole, f"the last run of the suite had no tests of: {sorted(whole - cells.keys())}"
    return cells


def main() -> int:
    """Write the page, or check it."""
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(page(_last_run()))
    found = problems()
    sys.stderr.write("".join(f"{each}\n" for each in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
