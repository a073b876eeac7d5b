"""Contracts and their stubs: what is generated is what is committed, and what breaks is refused with file and line.

Each test works on a copy of everything that generation reads, so the checkout itself is never touched.
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CATALOG = "protos/shop/catalog/v1/catalog.proto"
STUB = "gen/python/shop/catalog/v1/catalog_pb2.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("protos", "codegen", "gen"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("buf.yaml", "go.mod", "go.sum", "requirements.lock", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "packages.js", tmp_path / "tools" / "packages.js")
    for name in (".venv", "node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def generate(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, checkout / "codegen" / "protos.py", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=checkout)


def buf(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / ".venv" / "bin" / "buf", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=checkout)


def words_of_lint(verb: str) -> list[str]:
    """Give the words that `make lint` calls buf with, from a verb on."""
    done = subprocess.run(["make", "-n", "lint"], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    (found,) = [line for line in done.stdout.splitlines() if line.startswith(f".venv/bin/buf {verb}")]
    return shlex.split(found)[1:]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_is_committed_is_what_is_generated(checkout: Path) -> None:
    done = generate(checkout, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_run_changes_nothing_and_starts_no_tool(checkout: Path) -> None:
    assert generate(checkout).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (checkout / "gen").rglob("*") if path.is_file()}
    (checkout / ".venv").unlink()  # any tool would be missing now
    again = generate(checkout)
    assert (again.returncode, again.stdout) == (0, "protos   nothing has changed\n")
    assert before == {path: path.stat().st_mtime_ns for path in (checkout / "gen").rglob("*") if path.is_file()}


def test_it_leaves_the_state_folder_to_the_stack(checkout: Path) -> None:
    """A folder with other files in it is refused by `up`."""
    (checkout / STUB).unlink()
    assert generate(checkout).stdout == "protos   1 files written\n"
    assert not (checkout / ".gossamer").exists()


def test_a_stub_that_was_edited_by_hand_is_found_and_put_right(checkout: Path) -> None:
    assert generate(checkout).returncode == 0
    (checkout / STUB).write_text((checkout / STUB).read_text() + "# edited\n")
    done = generate(checkout, "--check")
    assert done.returncode == 1
    assert f"{STUB}: is not what protos/ generates; run: make protos" in done.stderr
    assert generate(checkout).stdout == "protos   1 files written\n"
    assert (checkout / STUB).read_bytes() == (ROOT / STUB).read_bytes()


def test_a_stub_that_is_stale_or_left_over_is_found(checkout: Path) -> None:
    edit(checkout / CATALOG, "string name = 2;", "string name = 2;\n  // A test.\n  string more = 8;")
    (checkout / "gen/python/shop/old_pb2.py").write_text("")
    done = generate(checkout, "--check")
    assert done.returncode == 1
    assert STUB in done.stderr
    assert "gen/python/shop/old_pb2.py" in done.stderr
    assert "gen/go/shop/catalog/v1/catalog.pb.go" in done.stderr


def test_a_contract_that_does_not_compile_is_named_with_its_line_and_nothing_is_written(checkout: Path) -> None:
    edit(checkout / CATALOG, "string name = 2;", "strin name = 2;")
    line = (checkout / CATALOG).read_text().splitlines().index("  strin name = 2;") + 1
    done = generate(checkout)
    assert done.returncode == 1
    assert f"{CATALOG}:{line}:" in done.stderr
    assert "Traceback" not in done.stderr
    assert (checkout / STUB).read_bytes() == (ROOT / STUB).read_bytes()


def test_a_change_that_breaks_callers_is_refused(checkout: Path) -> None:
    words = words_of_lint("breaking")
    assert buf(checkout, *words).returncode == 0
    edit(checkout / CATALOG, "string name = 2;", "int32 name = 2;")
    done = buf(checkout, *words)
    assert done.returncode != 0
    assert CATALOG in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("// Stable and readable", "// \n  // Stable", ""),
        ("  // What a customer reads first.\n", "", 'Field "name" should have a non-empty comment'),
        ("rpc GetProduct(GetProductRequest)", "rpc GetProduct(ListProductsRequest)", "RPC request type"),
    ],
)
def test_the_style_of_contracts_is_held(checkout: Path, old: str, new: str, rule: str) -> None:
    edit(checkout / CATALOG, old, new)
    done = buf(checkout, *words_of_lint("lint"))
    assert (done.returncode == 0) == (rule == "")
    assert rule in done.stdout
