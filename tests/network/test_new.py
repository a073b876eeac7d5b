"""`gossamer new` in a copy of the project: what it writes, what it leaves alone, and what it refuses."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.checkout import copy_checkout, write

ROOT = Path(__file__).parents[2]
LANGUAGES = sorted(path.parent.name for path in ROOT.glob("kits/*/template"))
SERVICES = ", ".join(sorted(path.parent.name for path in ROOT.glob("services/*/service.yaml")))
KITS = ", ".join(sorted(path.parent.name for path in ROOT.glob("kits/*/kit.yaml")))
FOUR = "shop/parcels/v1/parcels.proto"
FOUR_SHAPES = """\
// Where parcels are.
syntax = "proto3";

package shop.parcels.v1;

// Follows parcels. It is asked by people.
service ParcelsService {
  // Gets one.
  rpc GetParcel(GetParcelRequest) returns (GetParcelResponse);

  // Streams where one is.
  rpc WatchParcel(WatchParcelRequest) returns (stream WatchParcelResponse);

  // Takes what scanners saw.
  rpc RecordScans(stream RecordScansRequest) returns (RecordScansResponse);

  // Answers each question.
  rpc Ask(stream AskRequest) returns (stream AskResponse);
}
"""
COMMENTS = {".py": "#", ".go": "//", ".ts": "//", ".rs": "//", ".java": "//"}
MADE_BY_TOOLS = {"__pycache__", ".pytest_cache", "target", ".fingerprint"}
RUFF = (".venv/bin/python", "-m", "ruff")
FORM = {
    "go": [("gofmt", "-l", "services")],
    "java": [("mvn", "-q", "-B", "-o", "--projects", "services/parcels", "com.spotify.fmt:fmt-maven-plugin:check")],
    "python": [(*RUFF, "check", "--quiet", "services"), (*RUFF, "format", "--check", "--quiet", "services")],
    "rust": [("cargo", "fmt", "--check", "--package", "parcels")],
    "typescript": [("node_modules/.bin/biome", "check", "services")],
}
"""Fails, or prints the name of a file, where one has not the form that lint asks for."""
TESTED_IN_SHOP = ("java", "rust")
"""Their kits are built there already."""
MORE = "  // Is new.\n  rpc FindSKUs(FindSKUsRequest) returns (FindSKUsResponse);\n}\n"

pytestmark = pytest.mark.timeout(700)


def messages(*methods: str) -> str:
    return "".join(
        f"\n// For {name}.\nmessage {name}{end} {{}}\n" for name in methods for end in ("Request", "Response")
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "checkout")


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(checkout: Path, *words: str | Path, within: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=checkout, capture_output=True, text=True, timeout=within, check=False)


def new(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(checkout, checkout / ".venv/bin/gossamer", "new", *words)


def made(checkout: Path, *words: str) -> dict[str, object]:
    done = new(checkout, *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def give_four_shapes(checkout: Path) -> Path:
    path = checkout / "protos" / FOUR
    write(path, FOUR_SHAPES + messages("GetParcel", "WatchParcel", "RecordScans", "Ask"))
    return path


def everything(checkout: Path) -> dict[str, tuple[str, int]]:
    """Give the content and the time of every file of the checkout."""
    files = (path for path in checkout.rglob("*") if path.is_file() and ".venv" not in path.parts)
    return {
        path.relative_to(checkout).as_posix(): (path.read_bytes().hex(), path.stat().st_mtime_ns)
        for path in files
        if not MADE_BY_TOOLS & set(path.parts)
    }


def test_a_service_is_written_once_passes_its_own_test_and_follows_its_contract(checkout: Path, language: str) -> None:
    """One test for all of it, since compilers take their time. The service serves a contract with all four shapes.

    What a person wrote stays, byte for byte, also beside the methods; only stubs and one file of methods change.
    """
    path = give_four_shapes(checkout)
    made(checkout, "parcels", "--language", language, "--proto", f"protos/{FOUR}")
    service = checkout / "services/parcels"
    assert 'summary: "Follows parcels."\n' in (service / "service.yaml").read_text()
    assert len((service / "README.md").read_text().splitlines()) == 5
    for command in FORM[language]:
        form = run(checkout, *command)
        assert (form.returncode, "services/" in form.stdout) == (0, False), form.stdout + form.stderr

    before = everything(checkout)
    assert made(checkout, "parcels", "--language", language)["written"] == []
    assert made(checkout, "parcels", "--update")["added"] == []
    assert everything(checkout) == before

    for file in service.rglob("*"):
        if file.suffix in COMMENTS:
            file.write_text(f"{file.read_text()}\n{COMMENTS[file.suffix]} by hand\n")
    before = everything(checkout)
    path.write_text(path.read_text().replace("}\n", MORE, 1) + messages("FindSKUs"))
    said = new(checkout, "parcels", "--language", language)
    assert "no method yet for FindSKUs: gossamer new parcels --update" in said.stdout
    done = made(checkout, "parcels", "--update")
    assert done["added"] == ["FindSKUs"]
    after = everything(checkout)
    changed = {name for name in after if after[name] != before.get(name)} - {f"protos/{FOUR}"}
    (own,) = [name for name in changed if not name.startswith("gen/")]
    now = bytes.fromhex(after[own][0]).decode().splitlines()
    was = bytes.fromhex(before.get(own, ("", 0))[0]).decode().splitlines()
    added = iter(now)
    assert all(line in added for line in was), "a line that was there is gone"
    assert any("findskus" in line.lower().replace("_", "") for line in now)
    assert before.keys() - after.keys() == set()

    if language not in TESTED_IN_SHOP:
        test = done["test"]
        assert isinstance(test, list)
        tested = run(checkout, *test)
        assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_service_without_a_contract_gets_one_that_lints(checkout: Path) -> None:
    done = made(checkout, "loyalty-7up", "--language", "python")
    assert done["contract"] == "shop.loyalty_7up.v1.Loyalty7UpService"
    assert run(checkout, ".venv/bin/buf", "lint").stdout == ""
    assert run(checkout, ".venv/bin/buf", "format", "--diff", "--path", "protos/shop").stdout == ""
    assert run(checkout, ".venv/bin/python", "codegen/protos.py", "--check").stderr == ""


def test_update_of_a_service_without_a_place_for_methods_says_what_to_write(checkout: Path) -> None:
    path = give_four_shapes(checkout)
    made(checkout, "parcels", "--language", "python")
    adapter = checkout / "services/parcels/parcels/adapter.py"
    lines = adapter.read_text().splitlines(keepends=True)
    adapter.write_text("".join(line for line in lines if "adds methods above this line" not in line))
    path.write_text(path.read_text().replace("}\n", MORE, 1) + messages("FindSKUs"))
    done = new(checkout, "parcels", "--update")
    assert done.returncode == 1
    assert "parcels has no method for FindSKUs, and no line that says where methods go" in done.stderr
    assert "shop.parcels.v1.ParcelsService: gossamer new --update adds methods above this line" in done.stderr


def test_services_that_were_written_by_hand_lack_nothing(checkout: Path) -> None:
    for name in ("catalog", "orders"):
        assert made(checkout, name, "--update")["added"] == []


def test_make_new_does_the_same(checkout: Path) -> None:
    done = run(checkout, "make", "-o", ".venv/ready", "new", "name=loyalty", "language=python")
    assert "wrote services/loyalty/loyalty/adapter.py" in done.stdout, done.stderr


def lacks_go(checkout: Path) -> None:
    kit = checkout / "kits/go/kit.yaml"
    kit.write_text(kit.read_text().replace("[go, version]", "[no-such-go, version]"))


def breaks_lint(checkout: Path) -> None:
    path = give_four_shapes(checkout)
    path.write_text(path.read_text().replace("  // Gets one.\n", ""))


def is_no_proto(checkout: Path) -> None:
    write(checkout / "protos" / FOUR, "syntax = nonsense\n")


def has_no_service(checkout: Path) -> None:
    write(checkout / "protos" / FOUR, '// Nothing.\nsyntax = "proto3";\n\npackage shop.parcels.v1;\n')


def has_a_folder(checkout: Path) -> None:
    write(checkout / "services/parcels/notes.txt", "mine\n")


def has_a_small_letter_behind_a_digit(checkout: Path) -> None:
    path = give_four_shapes(checkout)
    path.write_text(path.read_text().replace("GetParcel", "Get2fa"))


def nothing(checkout: Path) -> None:
    del checkout


@pytest.mark.parametrize(
    ("words", "prepare", "status", "said"),
    [
        ("Loyalty -l go", nothing, 2, "expected a name of 1 to 40 lower-case letters"),
        ("../x -l go", nothing, 2, "expected a name of 1 to 40 lower-case letters"),
        ("consul -l go", nothing, 2, "'consul' is a name that the stack uses itself"),
        ("catalog -l python", nothing, 1, "catalog is there already, in go: choose another name"),
        ("parcels -l go", has_a_folder, 1, "services/parcels is there already and holds no service.yaml"),
        ("calendar -l python", nothing, 2, "'calendar' can't be the name of a service in python"),
        ("vendor -l go", nothing, 2, "'vendor' can't be the name of a service in go"),
        ("tonic -l rust", nothing, 2, "'tonic' can't be the name of a service in rust"),
        ("match -l rust", nothing, 2, "'match' can't be the name of a service in rust"),
        ("kit -l java", nothing, 2, "'kit' can't be the name of a service in java"),
        ("class -l go", nothing, 2, "'class' can't be the package of a contract"),
        ("loyalty", nothing, 2, f"expected --language, one of: {KITS}"),
        ("loyalty -l cobol", nothing, 2, f"there is no language 'cobol'; there are: {KITS}"),
        ("loyalty -l go", lacks_go, 1, "go: go 1.26 or newer is needed and not found"),
        ("parcels -l go", breaks_lint, 1, f'protos/{FOUR}:8:3:RPC "GetParcel" should have a non-empty comment'),
        ("parcels -l go", is_no_proto, 1, f"protos/{FOUR}:1:"),
        ("parcels -l go", has_no_service, 1, "expected one service in"),
        (
            "parcels -l go",
            has_a_small_letter_behind_a_digit,
            1,
            "expected a capital letter behind a digit, found Get2fa",
        ),
        ("wares -l go --proto protos/shop/catalog/v1/catalog.proto", nothing, 1, "is served by catalog already"),
        ("wares -l go --proto protos/shop/none.proto", nothing, 1, "expected a .proto file, found none at"),
        ("mesh -l go --proto protos/gossamer/mesh/v1/mesh.proto", nothing, 1, "must lie in protos/shop/"),
        ("wares --update", nothing, 2, f"there is no service 'wares' to update; there are: {SERVICES}"),
        ("catalog --update -l go", nothing, 2, "expected --update alone"),
    ],
)
def test_what_is_refused_is_told_in_a_line_and_nothing_is_written(
    checkout: Path, words: str, prepare: Callable[[Path], None], status: int, said: str
) -> None:
    prepare(checkout)
    before = everything(checkout)
    done = new(checkout, *words.split())
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert everything(checkout) == before


def test_a_run_that_fails_at_its_end_takes_all_back(checkout: Path) -> None:
    template = checkout / "kits/rust/template/template.yaml"
    template.write_text(template.read_text().replace("[cargo, update", "[no-such-cargo, update"))
    before = {name: content for name, (content, _) in everything(checkout).items()}
    done = new(checkout, "loyalty", "--language", "rust")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "no-such-cargo is needed and can't be run" in done.stderr
    assert {name: content for name, (content, _) in everything(checkout).items()} == before
