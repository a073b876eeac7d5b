"""The one generator: contracts in protos/ become stubs in gen/ and the image of all contracts.

    python codegen/protos.py            # generate what is stale
    python codegen/protos.py --check    # generate aside and compare; 1 when gen/ differs in any byte

Owns every file below gen/ except those named in KEPT. A file is written only when its bytes change, so
nothing downstream rebuilds for nothing; a stub whose contract is gone is removed. What was generated from
what is remembered in gen/.fingerprint, so a second run starts no tool.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gossamer_mesh.errors import Problem
from gossamer_mesh.local import parts

ROOT = Path(__file__).resolve().parent.parent
GEN = ROOT / "gen"
STAMP = GEN / ".fingerprint"
KEPT = {"python/pyproject.toml", "typescript/package.json"}
IMAGE = "contracts.binpb"
BIN = ROOT / ".venv" / "bin"


def main() -> int:
    """Generate or compare; return the exit status."""
    parser = argparse.ArgumentParser(description="Contracts -> stubs in every language.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when gen/ is stale or edited")
    check = parser.parse_args().check
    if not check and STAMP.is_file() and STAMP.read_text() == fingerprint():
        print("protos   nothing has changed")
        return 0
    try:
        parts.find_go()  # the stubs for Go are made by plugins that it builds
        have_packages()
    except Problem as problem:
        print(f"protos   {problem}", file=sys.stderr)
        return problem.status
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if not generate(out):
            return 1
        changed = differences(out / "gen", GEN)
        if check:
            for name in changed:
                print(f"gen/{name}: is not what protos/ generates; run: make protos", file=sys.stderr)
            return 1 if changed else 0
        for name in changed:
            replace(out / "gen" / name, GEN / name)
    STAMP.write_text(fingerprint())
    print(f"protos   {len(changed)} files written" if changed else "protos   nothing has changed")
    return 0


def have_packages() -> None:
    """Have the plugin for TypeScript, which is one of Node's packages.

    Raises:
        Problem: Node isn't there, or its packages can't be had.
    """
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            hint = "install Node.js with npm from https://nodejs.org"
            raise Problem(f"Node.js 20 or newer is needed and no {tool} is on PATH; {hint}", 64)
    done = subprocess.run(["node", "tools/packages.js"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"the packages in package-lock.json can't be had:\n{(done.stdout + done.stderr).strip()}")


def generate(out: Path) -> bool:
    """Run buf for every language into out/gen; print what it says when it refuses."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    commands = [["buf", "build", "--path", "protos/gossamer", "--path", "protos/shop", "-o", str(out / "gen" / IMAGE)]]
    commands += [
        ["buf", "generate", "--template", str(template), "-o", str(out)]
        for template in sorted((ROOT / "codegen").glob("*.yaml"))
    ]
    (out / "gen").mkdir()
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"protos   {' '.join(command[:2])} refused the contracts:", file=sys.stderr)
            print((done.stdout + done.stderr).strip(), file=sys.stderr)
            return False
    return True


def differences(new: Path, old: Path) -> list[str]:
    """Name the files that differ or stand in only one of two folders, those of KEPT left out."""
    names = (files(new) | files(old)) - KEPT
    return sorted(name for name in names if content(new / name) != content(old / name))


def files(folder: Path) -> set[str]:
    """Name the files below a folder, caches and what is remembered left out."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path != STAMP
    }


def content(path: Path) -> bytes | None:
    """Read a file; None when it is not there."""
    return path.read_bytes() if path.is_file() else None


def replace(new: Path, old: Path) -> None:
    """Make the old path hold what the new one does; remove it when the new one does not exist."""
    if not new.is_file():
        old.unlink()
        return
    old.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(new, old)


def fingerprint() -> str:
    """Hash everything that generation depends on, and its output, so that an edited stub counts as stale."""
    inputs = [*(ROOT / "protos").rglob("*.proto"), *(ROOT / "codegen").iterdir(), ROOT / "buf.yaml"]
    inputs += [ROOT / name for name in ("go.mod", "package-lock.json", "requirements.lock")]
    inputs += [GEN / name for name in files(GEN)]
    digest = hashlib.sha256()
    for path in sorted(path for path in inputs if path.is_file()):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
