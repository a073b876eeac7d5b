"""Everything that the README tells people to type is typed here, in its order, in one shell."""

import re
import subprocess

from harness.stack import ROOT, Stack

README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Give the commands of the README's session: the lines that begin with a prompt."""
    return [line.removeprefix("$ ") for line in README.splitlines() if line.startswith("$ ")]


def test_the_session_works_as_it_stands(own_stack: Stack) -> None:
    up = shell(own_stack, "make up")
    assert "is up" in up.stdout
    instance = own_stack.address("catalog-1")
    printed = ""
    for command in commands():
        done = shell(own_stack, command.replace("127.0.0.1:20000", instance))
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        printed += done.stdout
    for expected in (
        "shop.catalog.v1.CatalogService",
        '"products"',
        "alpaca-throw",
        "BatchGetProducts",
        "the stack is down",
    ):
        assert expected in printed


def test_the_two_commands_are_targets_and_every_link_leads_somewhere() -> None:
    first = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert first[1].split("\n")[:2] == ["make up", "make test"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word.split()[1] for word in re.findall(r"make [a-z]+", README)} <= targets
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_calls_that_up_prints_work_when_pasted(stack: Stack) -> None:
    printed = stack.run("up").stdout
    pasted = [line.strip() for line in printed.splitlines() if "grpcurl -plaintext" in line]
    assert len(pasted) >= 3
    for line in pasted:
        done = shell(stack, line)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def shell(stack: Stack, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}/.venv/bin:{stack.environment['PATH']}"
    environment = {**stack.environment, "PATH": path}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
