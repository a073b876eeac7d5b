"""What a person meets first on a new machine: the bootstrap of .venv, and make without what it needs."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness.stack import GOSSAMER, ROOT

BOOTSTRAP = "tools/bootstrap.py"
NOWHERE = "http://127.0.0.1:1"


def test_the_bootstrap_can_be_read_by_a_python_that_is_too_old() -> None:
    ast.parse((ROOT / BOOTSTRAP).read_text(), feature_version=(3, 6))


def test_a_python_that_is_too_old_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    bootstrap = copy_of_bootstrap(tmp_path)
    script = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = run([sys.executable, "-c", script, bootstrap])
    said = f"bootstrap: Python 3.11 or newer is needed, found 3.9 at {sys.executable}; "
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (64, "", 1)
    assert done.stderr.startswith(said)
    assert not (tmp_path / ".venv").exists()


def test_a_network_that_is_down_ends_the_bootstrap_with_one_line_that_says_so(tmp_path: Path) -> None:
    bootstrap = copy_of_bootstrap(tmp_path)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    offline = {"PIP_INDEX_URL": NOWHERE, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = run([sys.executable, bootstrap], {**own, **offline})
    *_, last = done.stderr.splitlines()
    assert done.returncode == 64
    assert last.startswith("bootstrap: the packages could not be had; is the network up, ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["protos", "test-go"])
def test_without_go_make_ends_with_one_line_that_says_how_to_get_it(tmp_path: Path, target: str) -> None:
    if (GOSSAMER.parent / "go").exists():
        pytest.skip("there is a Go beside gossamer, where it is always found")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "bash"):
        (programs / name).symlink_to(shutil.which(name) or name)
    shutil.copytree(ROOT / "codegen", tmp_path / "codegen")  # works on the checkout that it lies in
    for name in ("Makefile", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = run(["make", "-o", ".venv/ready", target], {"PATH": str(programs)}, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(lines) == 1, done.stderr
    assert "Go 1.26 or newer is needed" in lines[0]
    assert "https://go.dev/dl" in lines[0]


def copy_of_bootstrap(folder: Path) -> Path:
    """Copy what the bootstrap reads, so that what it makes lies beside it."""
    for name in (BOOTSTRAP, "requirements.lock"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder / BOOTSTRAP


def run(
    command: list[str | Path], environment: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment, ours unless one is given."""
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
