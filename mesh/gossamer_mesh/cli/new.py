"""gossamer new: a service from a contract, in any language; or the methods of RPCs that a contract got since."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gossamer_mesh import scaffold
from gossamer_mesh.cli import show, stack
from gossamer_mesh.declare import load
from gossamer_mesh.errors import UsageProblem


def new(
    name: Annotated[str, typer.Argument(help="The service's name, such as loyalty.")],
    language: Annotated[str, typer.Option("--language", "-l", help="A language, such as go.")] = "",
    proto: Annotated[
        Path | None, typer.Option(help="Its contract; without it, protos/shop/NAME/v1/NAME.proto, which may be new.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Add the methods that the service lacks, and only them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write a service's folder from its contract, with stubs in every language. What is there stays as it is."""
    if update and (language or proto):
        raise UsageProblem("expected --update alone: the service that is there says its language and contract")
    workspace = load(stack.root())
    made = scaffold.update(workspace, name) if update else scaffold.new(workspace, name, language, proto)
    if as_json:
        show.as_json(asdict(made))
        return
    for file in made.written:
        show.console.print(Text(f"wrote {file}"), soft_wrap=True)
    for line in _lines(made, update=update):
        show.console.print(Text(line), soft_wrap=True)


def _lines(made: scaffold.Made, *, update: bool) -> list[str]:
    name, method = made.name, made.method.rpartition("/")[2]
    if made.added:
        return [f"{name} got {', '.join(made.added)}: write what it does, then: gossamer up"]
    if made.lacking:
        return [f"{name} is there, and has no method yet for {', '.join(made.lacking)}: gossamer new {name} --update"]
    if update or not made.written:
        return [f"{name} is there, in {made.language}, with a method for each RPC of {made.contract}"]
    return [
        "",
        f"{name} serves {made.contract} in {made.language}. Next:",
        "",
        f"  {' '.join(made.test)}",
        "  gossamer up",
        f"  gossamer call {name} {method} '{made.request}'",
        "",
        f"Then write what it does in services/{name}, and what it is asked in {made.proto}.",
        f"An RPC that is new there gets its method with: gossamer new {name} --update",
    ]
