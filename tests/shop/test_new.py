"""A new service joins a stack that runs, in each language that has a template: as `gossamer new` says, step by step."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from harness.checkout import copy_checkout, give_crates
from harness.stack import GRPCURL, ROOT, Stack, eventually

LANGUAGES = sorted(path.parent.name for path in ROOT.glob("kits/*/template"))
SHAPES = """\
service ParcelsService {
  // One answer to one request.
  rpc GetParcel(GetParcelRequest) returns (GetParcelResponse);

  // Many answers.
  rpc WatchParcel(WatchParcelRequest) returns (stream WatchParcelResponse);

  // Many requests.
  rpc RecordScans(stream RecordScansRequest) returns (RecordScansResponse);

  // Many of both.
  rpc Ask(stream AskRequest) returns (stream AskResponse);
}
"""
METHODS = ("GetParcel", "WatchParcel", "RecordScans", "Ask")
CONTRACT = (
    '// Where parcels are.\nsyntax = "proto3";\n\npackage shop.parcels{number}.v1;\n\n// Follows parcels.\n'
    + SHAPES.replace("{", "{{").replace("}", "}}")
    + "".join(f"\n// Of {name}.\nmessage {name}{end} {{{{}}}}\n" for name in METHODS for end in ("Request", "Response"))
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a running stack of a copy of the project, which tests add services to."""
    root = copy_checkout(tmp_path_factory.mktemp("copy") / "checkout")
    give_crates(root)
    with Stack(tmp_path_factory.mktemp("copied") / "state", root=root, gossamer=root / ".venv/bin/gossamer") as stack:
        stack.up()
        yield stack


def grpcurl(stack: Stack, service: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Call the first instance of a service, with nothing but what it says of itself."""
    flags = [word for word in words if word.startswith("-")]
    rest = [word for word in words if not word.startswith("-")]
    command = [GRPCURL, "-plaintext", "-max-time", "20", *(["-d", "@"] if text else []), *flags]
    command += [stack.address(f"{service}-1"), *rest]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_service_is_registered_healthy_reflected_traced_and_callable(copy: Stack, language: str) -> None:
    name = f"loyalty-{language}"
    before = copy.processes()
    made = json.loads(copy.run("new", name, "--language", language, "--json").stdout)
    copy.up()
    after = copy.processes()
    assert {each: after[each]["pid"] for each in before} == {each: before[each]["pid"] for each in before}
    assert after.keys() - before.keys() == {f"{name}-1"}
    eventually(lambda: copy.serves(f"{name}-1"))
    listed = grpcurl(copy, name, "list").stdout.split()
    assert {made["contract"], "grpc.health.v1.Health"} == {each for each in listed if "reflection" not in each}
    answer = grpcurl(copy, name, made["method"], text=made["request"])
    assert (answer.returncode, json.loads(answer.stdout)) == (0, {}), answer.stderr
    refused = grpcurl(copy, name, made["method"], text="{}")
    assert "Code: InvalidArgument" in refused.stderr
    assert "error" not in copy.call(name, made["method"].rpartition("/")[2], json.loads(made["request"]))
    eventually(lambda: f'"{name}"' in copy.run("trace", "--json", check=False).stdout)


@pytest.mark.parametrize("language", LANGUAGES)
def test_methods_of_all_four_shapes_are_answered(copy: Stack, language: str) -> None:
    number = LANGUAGES.index(language)
    name = f"parcels{number}"
    path = copy.root / f"protos/shop/{name}/v1/{name}.proto"
    path.parent.mkdir(parents=True)
    path.write_text(CONTRACT.format(number=number))
    copy.run("new", name, "--language", language)
    copy.up()
    for method, text, answers in (
        ("GetParcel", "{}", 1),
        ("WatchParcel", "{}", 1),
        ("RecordScans", "{}{}{}", 1),
        ("Ask", "{}{}{}", 3),
    ):
        done = grpcurl(copy, name, f"shop.{name}.v1.ParcelsService/{method}", text=text)
        assert (done.returncode, done.stdout.count("{")) == (0, answers), f"{method}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_method_that_update_adds_is_answered_after_up(copy: Stack, language: str) -> None:
    name = f"growing-{language}"
    module = name.replace("-", "_")
    copy.run("new", name, "--language", language)
    copy.up()
    path = copy.root / f"protos/shop/{module}/v1/{module}.proto"
    more = "  // Is new.\n  rpc Grow(GrowRequest) returns (GrowResponse);\n}\n\n// A\nmessage GrowRequest {}\n"
    path.write_text(path.read_text().replace("  }\n}\n", f"  }}\n\n{more}\n// B\nmessage GrowResponse {{}}\n", 1))
    copy.run("new", name, "--update")
    copy.up()
    contract = json.loads(copy.run("new", name, "--json").stdout)["contract"]
    done = eventually(lambda: answered(copy, name, f"{contract}/Grow"))
    assert json.loads(done.stdout) == {}


def answered(stack: Stack, name: str, method: str) -> subprocess.CompletedProcess[str] | None:
    done = grpcurl(stack, name, method)
    return done if done.returncode == 0 else None
