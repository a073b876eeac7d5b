"""What kits/<language>/kit.yaml says: how a language's tools are found and its services built and run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer_mesh.declare.document import Document

KEYS = (
    "language",
    "tools",
    "sources",
    "generate",
    "build",
    "run",
    "watch",
    "env",
    "self_contained",
    "retries",
    "test",
    "probe_build",
    "probe",
)
PLACEHOLDERS = ("root", "service", "module", "output", "python")
CONTRACT = "{contract}"
MINIMUM = r"[0-9]+(\.[0-9]+)*"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program that a language needs.

    Attributes:
        name: what people call it.
        check: the command that prints its version; its first word is looked up on PATH.
        minimum: the oldest version that will do, such as "1.26".
        hint: how to get it.
    """

    name: str
    check: tuple[str, ...]
    minimum: str
    hint: str


NO_TOOL = Tool(name="", check=(), minimum="0", hint="")


@dataclass(frozen=True, kw_only=True)
class Kit:
    """One language as it declares itself.

    Commands hold placeholders: {root}, {service}, {module}, {output} (the built program) and {python}.

    Attributes:
        sources: globs, from the root, of all files that a build depends on. One with {contract} counts once for each
            folder of contracts that the service serves, calls or imports, such as shop/catalog/v1.
        build: the command that builds a service; empty when there is nothing to build.
        run: the command that runs an instance.
        self_contained: whether the built program is all that runs, so that the same one, built anew, replaces nothing.
        env: environment of a running instance.
        test: the command that runs a service's own tests.
        retries: whether the kit itself tries calls again where a library can't, so that its instances' nodes say so.
    """

    language: str
    tools: tuple[Tool, ...]
    sources: tuple[str, ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    self_contained: bool
    env: dict[str, str]
    retries: bool
    test: tuple[str, ...]
    folder: Path


def read(document: Document, folder: Path) -> Kit:
    """Turn a document into a kit, noting every mistake in the document."""
    document.only(*KEYS)
    kit = Kit(
        language=document.text("language", pattern=re.escape(folder.name), shape=f"the folder's name {folder.name!r}"),
        tools=tuple(_tool(document, value) for value in document.items("tools")),
        sources=document.texts("sources"),
        build=document.texts("build"),
        run=document.texts("run"),
        self_contained=document.flag("self_contained", default=False),
        env=document.table("env"),
        retries=document.flag("retries", default=False),
        test=document.texts("test"),
        folder=folder,
    )
    for key in ("sources", "run"):
        if not getattr(kit, key):
            document.wrong(key, f"{key!r} must be a list with at least one entry")
    _only_known_placeholders(document, "sources", kit.sources, (*PLACEHOLDERS, CONTRACT.strip("{}")))
    for key, words in (("build", kit.build), ("run", kit.run), ("test", kit.test), ("env", kit.env.values())):
        _only_known_placeholders(document, key, words, PLACEHOLDERS)
    for tool in kit.tools:
        _only_known_placeholders(document, "tools", tool.check, ("python",))
    return kit


def _only_known_placeholders(document: Document, key: str, words: Iterable[str], known: Iterable[str]) -> None:
    """Note every placeholder that nothing could be put into."""
    shapes = {f"{{{name}}}" for name in known}
    for word in words:
        rest = word.replace("{{", "").replace("}}", "")
        for found in re.findall(r"\{[^{}]*\}|[{}]", rest):
            if found not in shapes:
                document.wrong(key, f"unknown placeholder {found!r} in {word!r}; known: {', '.join(sorted(shapes))}")


def _tool(document: Document, value: Any) -> Tool:
    wanted = {"name": str, "check": list, "minimum": str, "hint": str}
    if not isinstance(value, dict) or {key: type(item) for key, item in value.items()} != wanted:
        document.wrong("tools", f"each of 'tools' must hold name, check (a list), minimum and hint, found {value!r}")
        return NO_TOOL
    tool = Tool(name=value["name"], check=tuple(value["check"]), minimum=value["minimum"], hint=value["hint"])
    if not tool.check or not all(isinstance(word, str) for word in tool.check):
        shape = f"'check' of {tool.name!r} must be a command such as [go, version]"
        document.wrong("tools", f"{shape}, found {value['check']!r}")
        return NO_TOOL
    if not re.fullmatch(MINIMUM, tool.minimum):
        shape = f"'minimum' of {tool.name!r} must be a version such as \"1.26\""
        document.wrong("tools", f"{shape}, found {tool.minimum!r}")
    return tool
