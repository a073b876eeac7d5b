"""The first `make up` of a fresh clone with every cache empty, and what of it is Consul; takes minutes, so ask for it.

Clones the last commit and gives it caches of its own: for downloads, for what Go and Python keep, for the programs that
the project brings. So all that is measured is what a new machine does that has Python and Go. What the parts take is
read from the lines that `make up` prints outside a terminal; they overlap, so they don't add up to the whole. A Consul
or grpcurl on PATH is used as it is, unless this project brought it, and then no figure says what bringing Consul took.
One run; no other product does the same, so it is compared with nothing.

    make bench only=cold
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import figures

LONGEST_S = 3600
VENV = re.compile(r"^python +\.venv is ready after (\d+) s$", re.MULTILINE)
TOLD = re.compile(r"^ *([\d.]+)s +(\S+) +(\S+) *(.*)$", re.MULTILINE)
"""A line of `make up`: seconds since its start, process, state, detail."""


def main() -> int:
    """Measure, print, write; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the stack as Ctrl-C does
    with tempfile.TemporaryDirectory() as folder:
        clone, environment = Path(folder) / "clone", empty_caches(Path(folder) / "caches")
        subprocess.run(["git", "clone", "--quiet", figures.ROOT, clone], check=True)
        try:
            began = time.monotonic()
            done = run(["make", "up"], clone, environment)
            took = time.monotonic() - began
        finally:
            if (gossamer := clone / ".venv" / "bin" / "gossamer").exists():
                run([gossamer, "down"], clone, environment)
            # Go keeps its modules read-only, so that removing the folder would fail.
            subprocess.run(["go", "clean", "-modcache"], env=environment, check=False)
    print(done.stdout, end="")
    if done.returncode != 0:
        return 1
    results = [figure("cold make up", took), *parts(done.stdout)]
    figures.show(results)
    figures.write("cold", results)
    return 0


def empty_caches(folder: Path) -> dict[str, str]:
    """Give an environment whose caches are all below a folder, and whose stack takes free ports."""
    names = ("XDG_CACHE_HOME", "GOCACHE", "GOMODCACHE", "PIP_CACHE_DIR", "UV_CACHE_DIR")
    # What `make bench` has put there is no part of a new machine: its own variables, and this checkout's programs.
    leave_out = ("GOSSAMER_", "CONSUL_", "MAKE", "MFLAGS", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(leave_out)}
    own = Path(sys.prefix) / "bin"
    path = os.pathsep.join(each for each in kept["PATH"].split(os.pathsep) if Path(each) != own)
    caches = {name: str(folder / name.lower()) for name in names}
    return {**kept, **caches, "PATH": path, "GOSSAMER_PORT_OFFSET": "free"}


def run(command: Sequence[str | Path], clone: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the clone and give what it printed; its errors go where ours do."""
    return subprocess.run(
        command, cwd=clone, env=environment, stdout=subprocess.PIPE, text=True, timeout=LONGEST_S, check=False
    )


def parts(printed: str) -> list[figures.Figure]:
    """Read from the lines of `make up` what making .venv, bringing Consul and building services took."""
    found = [figure("of it making .venv", float(each[1])) for each in VENV.finditer(printed)]
    began: dict[str, float] = {}
    how: dict[str, str] = {}  # as it was last told: a download that fails becomes a build
    for seconds, process, state, detail in TOLD.findall(printed):
        if state == "building":
            began.setdefault(process, float(seconds))
            how[process] = detail
        elif process in began:
            took = float(seconds) - began.pop(process)
            found.append(figure(f"of it {process}: {how[process] or 'building'}", took))
    return found


def figure(name: str, seconds: float) -> figures.Figure:
    """Make the figure of one run."""
    return figures.Figure(figure=name, values=[seconds], unit="s", against="nothing; steps overlap")


if __name__ == "__main__":
    sys.exit(main())
