"""A checkout of its own for a stack: a copy of the project, or one service in the language of the shell."""

import fcntl
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from .stack import ROOT, Stack

SHARED = ("gen", "consul", "mesh", "requirements.lock")
"""What every checkout of the project holds, and no test changes."""

OWN_PACKAGES = ("mesh", "kits/python", "gen/python")
"""Where the project's own Python packages lie."""


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def give_checkout(stack: Stack, root: Path, *, kit: str, service: str, **scripts: str) -> Stack:
    """Have a stack run a checkout with the service `catalog`, whose scripts lie beside its declaration."""
    for name in SHARED:
        (root / name).symlink_to(ROOT / name)
    write(root / "gossamer.yaml", "name: tiny\n")
    write(root / "kits/shell/kit.yaml", kit)
    write(root / "services/catalog/service.yaml", service)
    for name, text in scripts.items():
        write(root / "services/catalog" / name, text)
    stack.root = root
    return stack


def copy_checkout(root: Path) -> Path:
    """Copy all that git knows of the project, with a `.venv` that runs the copy's own code. Gives the copy's root.

    The packages of others are those that this process runs with: making them anew would need a network.
    """
    known = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(known, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    venv.create(root / ".venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib"))
    own = root / ".venv" / packages.relative_to(sys.prefix) / "checkout.pth"
    own.write_text("\n".join(str(path) for path in (*(root / part for part in OWN_PACKAGES), packages)))
    for program in Path(sys.prefix, "bin").iterdir():
        if not (copy := root / ".venv/bin" / program.name).exists():
            copy.symlink_to(program)
    gossamer = root / ".venv/bin/gossamer"
    gossamer.unlink()
    write(gossamer, f"#!{root}/.venv/bin/python\nfrom gossamer_mesh.cli import main\n\nmain()\n")
    gossamer.chmod(0o755)
    _link_node_packages(root)
    return root


def give_crates(root: Path) -> None:
    """Give a copy what Cargo has built here of others' crates, so that it builds only the project's own anew."""
    here, there = ROOT / "target/debug", root / "target/debug"
    if not here.exists():
        return
    with (here / ".cargo-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as Cargo does: nothing is built meanwhile
        for name in ("deps", "build", ".fingerprint"):
            shutil.copytree(here / name, there / name)


def _link_node_packages(root: Path) -> None:
    """Give a copy the packages of Node that are installed here, and its own for those of this project."""
    installed = ROOT / "node_modules"
    for path in (*installed.glob("[!@]*"), *installed.glob("@*/*")):
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        inside = path.resolve().is_relative_to(ROOT) and not path.resolve().is_relative_to(installed)
        copy.symlink_to(root / path.resolve().relative_to(ROOT) if inside else path)
