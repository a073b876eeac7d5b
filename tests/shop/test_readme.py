"""Everything that the README tells people to type is typed here, in its order, in one shell."""

import os
import re
import subprocess

from harness.stack import ROOT, Stack

README = (ROOT / "README.md").read_text()
BIN = str(ROOT / ".venv" / "bin")
OUTPUT_BEGINS = "--- output of command %d"


def commands() -> list[str]:
    """Give the commands of the README's session: the lines that begin with a prompt."""
    return [line.removeprefix("$ ") for line in README.splitlines() if line.startswith("$ ")]


def test_the_session_works_as_it_stands(own_stack: Stack) -> None:
    up = shell(own_stack, "make up")
    assert "is up" in up.stdout
    printed = session(own_stack, commands())
    for expected in (
        "shop.catalog.v1.CatalogService",
        '"products"',
        "alpaca-throw",
        "BatchGetProducts",
        "the stack is down",
    ):
        assert expected in printed


def test_control_what_make_up_brings_is_found_only_after_the_session_s_first_line(own_stack: Stack) -> None:
    """Else a first line that sets nothing would do as well."""
    found = shell(own_stack, "command -v gossamer")
    assert (found.returncode, found.stdout) == (1, "")
    assert f"{BIN}/gossamer" in session(own_stack, [commands()[0], "command -v gossamer"])


def test_the_two_commands_are_targets_and_every_link_leads_somewhere() -> None:
    first = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert first[1].split("\n")[:2] == ["make up", "make test"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word.split()[1] for word in re.findall(r"make [a-z]+", README)} <= targets
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_calls_that_up_prints_work_when_pasted(stack: Stack) -> None:
    printed = shell(stack, f"{BIN}/gossamer up").stdout
    pasted = [line.strip() for line in printed.splitlines() if "grpcurl -plaintext" in line]
    assert len(pasted) >= 3
    session(stack, pasted)


def session(stack: Stack, lines: list[str]) -> str:
    """Type lines into one shell and give what they print; the first that fails ends it."""
    script = [f"echo {OUTPUT_BEGINS % number!r}\n{line}" for number, line in enumerate(lines, 1)]
    done = shell(stack, "\n".join(["set -e", *script]))
    number = done.stdout.count(OUTPUT_BEGINS.removesuffix("%d"))
    assert done.returncode == 0, f"{lines[number - 1]}: {done.stdout}{done.stderr}"
    assert number == len(lines)
    return done.stdout


def shell(stack: Stack, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell of a person who has never set anything up for this checkout."""
    path = [folder for folder in stack.environment["PATH"].split(os.pathsep) if folder != BIN]
    return subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**stack.environment, "PATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
