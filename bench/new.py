"""How long it takes from `gossamer new` to the first answered call of the new service, in each language.

    1. gossamer new NAME --language LANGUAGE: a starter contract, linted; stubs in every language; the service's folder
    2. gossamer up: built, started, registered, healthy, in a stack that runs already
    3. grpcurl, again and again until it is answered

All in a copy of this project, with tools and their caches warm: each language is done once before, not counted. It is
compared with nothing; the aim is a minute.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from harness.checkout import copy_checkout
from harness.stack import GRPCURL, ROOT, Stack

AIM_S = 60.0
RUNS = 3
ANSWERS_WITHIN_S = 120.0


def main() -> int:
    """Measure every language that has a template; return the exit status."""
    languages = sorted(path.parent.name for path in ROOT.glob("kits/*/template"))
    found: dict[str, list[tuple[float, float, float]]] = {language: [] for language in languages}
    with tempfile.TemporaryDirectory() as folder:
        root = copy_checkout(Path(folder, "checkout"))
        with Stack(Path(folder, "state"), root=root, gossamer=root / ".venv/bin/gossamer") as stack:
            stack.up()
            for number in range(RUNS + 1):
                for language in languages:
                    took = measured(stack, f"loyalty-{language}-{number}", language)
                    if number:  # the first one warms
                        found[language].append(took)
    results = [figure for language, runs in found.items() for figure in shown(language, runs)]
    figures.show(results)
    figures.write("new", results)
    return 0


def measured(stack: Stack, name: str, language: str) -> tuple[float, float, float]:
    """Make a service; give the seconds until it was written, until `up` was done, and until a call was answered."""
    module, type_ = name.replace("-", "_"), "".join(word.capitalize() for word in name.split("-"))
    method = f"shop.{module}.v1.{type_}Service/Get{type_}"
    began = time.monotonic()
    stack.run("new", name, "--language", language, within=300)
    written = time.monotonic()
    (process,) = [each for each in stack.up() if each["name"] == f"{name}-1"]
    up = time.monotonic()
    command = [GRPCURL, "-plaintext", "-max-time", "5", "-d", '{"id": "ada"}', process["address"], method]
    while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode != 0:
        if time.monotonic() - began > ANSWERS_WITHIN_S:
            raise SystemExit(f"{name} is not answered: {done.stderr}")
    return written - began, up - began, time.monotonic() - began


def shown(language: str, runs: list[tuple[float, float, float]]) -> list[figures.Figure]:
    """Make the figures of one language."""
    names = ("the folder is written", "gossamer up is done", "the first call is answered")
    return [
        figures.Figure(
            figure=f"until {name}",
            values=values,
            unit="s",
            against="nothing; each includes what comes before",
            aim={"max": AIM_S} if name == names[-1] else None,
            side=language,
        )
        for name, values in zip(names, zip(*runs, strict=True), strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
