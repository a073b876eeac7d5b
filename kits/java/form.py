"""Brings a module's files into the form that lint asks for.

    form.py services/loyalty

Maven is asked without the network first. Where it can get the formatter from nowhere, the form stays as it is, and lint
tells when it is wrong.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(module: str) -> int:
    """Format; gives the exit status."""
    words = ["mvn", "--quiet", "--batch-mode", "--projects", module, "com.spotify.fmt:fmt-maven-plugin:format"]
    for more in (["--offline"], []):
        if subprocess.run([*words, *more], cwd=ROOT, capture_output=True, check=False).returncode == 0:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
