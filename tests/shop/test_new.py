"""A new service joins a stack that runs, in each language that has a template: as `gossamer new` says, step by step."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from harness.checkout import copy_checkout, give_crates
from harness.stack import GRPCURL, ROOT, Stack, eventually

LANGUAGES = sorted(path.parent.name for path in ROOT.glob("kits/*/template"))
TESTED_HERE = ("java", "rust")
"""What a service's own test needs is built here; those of others are run in tests/network."""
SHAPES = """\

  // Many answers.
  rpc WatchParcel(WatchParcelRequest) returns (stream WatchParcelResponse);

  // Many requests.
  rpc RecordScans(stream RecordScansRequest) returns (RecordScansResponse);

  // Many of both.
  rpc Ask(stream AskRequest) returns (stream AskResponse);
}
""" + "".join(
    f"\n// Of {name}.\nmessage {name}{end} {{}}\n"
    for name in ("WatchParcel", "RecordScans", "Ask")
    for end in ("Request", "Response")
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
def test_a_new_service_joins_and_gets_the_methods_of_new_rpcs(copy: Stack, language: str) -> None:
    """It is registered, healthy, reflected, traced and callable, and no other instance is ended for it."""
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

    path = copy.root / str(made["proto"])
    path.write_text(path.read_text().replace("  }\n}\n", f"  }}\n{SHAPES}", 1))
    assert json.loads(copy.run("new", name, "--update", "--json").stdout)["added"] == [
        "WatchParcel",
        "RecordScans",
        "Ask",
    ]
    copy.up()
    for method, text, answers in (("WatchParcel", "{}", 1), ("RecordScans", "{}{}{}", 1), ("Ask", "{}{}{}", 3)):
        done = grpcurl(copy, name, f"{made['contract']}/{method}", text=text)
        assert (done.returncode, done.stdout.count("{")) == (0, answers), f"{method}: {done.stdout}{done.stderr}"
    if language in TESTED_HERE:
        tested = subprocess.run(made["test"], cwd=copy.root, capture_output=True, text=True, timeout=300, check=False)
        assert tested.returncode == 0, tested.stdout + tested.stderr
