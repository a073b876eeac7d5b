"""The programs that tests start: each kit's probe, and for each language one that knows no kit, in foreign/<language>.

They are built before the first test, since a build from empty caches may take longer than any test.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from harness.probe import ROOT, Language, built, languages

FOREIGN = Path(__file__).parent / "foreign"


def foreign(language: Language, folder: Path) -> tuple[str, ...]:
    """Build a language's program without the kit if that has not been done yet, and give the command that runs it."""
    match language.name:
        case "python":
            return (sys.executable, str(FOREIGN / "python" / "main.py"))
        case "go":
            source = "./" + str((FOREIGN / "go").relative_to(ROOT))
            return (str(built(folder / "foreign-go", ["go", "build", "-o", "{output}", source])),)
        case "typescript":  # nothing of it is compiled; its packages are there since the probe was built
            return ("node", str(FOREIGN / "typescript" / "main.js"))
        case "rust":
            command = ["kits/rust/build.sh", "foreign", "{output}"]
            return (str(built(folder / "foreign-rust", command)),)
        case "java":  # compiled as it starts, against what the probe was built with
            probe = ROOT / "kits/java/probe/target"
            classpath = [str(next(probe.glob("*.jar"))), (probe / "classpath").read_text()]
            return ("java", "-cp", os.pathsep.join(classpath), str(FOREIGN / "java" / "Main.java"))
    raise AssertionError(f"say here how {FOREIGN / language.name} is run")


def build(folder: Path) -> None:
    """Build all that this machine has the tools for. What can't be built is left to fail the tests that need it."""
    for language in languages():
        if not language.missing:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                language.prepared(folder)
                foreign(language, folder)
