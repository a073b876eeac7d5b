"""A language's template, kits/<language>/template: how a service looks in that language.

    template.yaml       the keys below
    service/            becomes services/<name>/; names such as $module are put into paths and texts, .tmpl is cut off
    methods/            one file for each of unary, server_stream, client_stream, bidirectional: how a method looks

What every language has alike (service.yaml, README.md) lies beside this file. Names are put in as string.Template does.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template as Text

from gossamer_mesh.declare import DeclarationProblem, Kit
from gossamer_mesh.declare import document as documents
from gossamer_mesh.errors import Problem
from gossamer_mesh.scaffold import names, starter, tools
from gossamer_mesh.scaffold.contract import Contract, Method

FOLDER = "template"
COMMON = Path(__file__).parent / "common"
SUFFIX = ".tmpl"
JOIN = "gossamer new adds services above this line"
"""Stands, in the files of a checkout that list services, where a new one is added."""
SHAPES = ("unary", "server_stream", "client_stream", "bidirectional")


@dataclass(frozen=True)
class Join:
    """A line that a file of the checkout gets for a new service."""

    file: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """One language's template.

    Attributes:
        root: the checkout, where commands are run.
        folder: where the template lies.
        adapter: a glob, in a service's folder, of the files that hold methods.
        defines: the regular expression that a method of a name is known by.
        method: the file of one method, where each has its own; empty where they stand together above a line with MARK.
        taken: a command that prints names that no service of the language can have.
        format: commands that bring new files into the language's form; {folder} is where they lie.
        joins: what is written above each line that has JOIN, in files of the checkout that list services.
        after: commands that are run once the service {name} is in its place.
        changes: files of the checkout that those change.
    """

    root: Path
    folder: Path
    adapter: str
    defines: str
    method: str
    taken: tuple[str, ...]
    format: tuple[tuple[str, ...], ...]
    joins: tuple[Join, ...]
    after: tuple[tuple[str, ...], ...]
    changes: tuple[str, ...]

    def is_defined(self, service: Path, method: Method, values: Mapping[str, str]) -> bool:
        """Tell whether a service has a method of that name."""
        wanted = filled(self.defines, method_values(method, values))
        texts = (path.read_text(encoding="utf-8") for path in self.adapters(service, values))
        return any(re.search(wanted, text, re.MULTILINE) for text in texts)

    def adapters(self, service: Path, values: Mapping[str, str]) -> list[Path]:
        """Give the files of a service that may hold methods."""
        return sorted(path for path in service.glob(filled(self.adapter, values)) if path.is_file())

    def method_text(self, method: Method, values: Mapping[str, str]) -> str:
        """Write one method."""
        (path,) = (self.folder / "methods").glob(f"{method.shape}.*")
        return filled(path.read_text(encoding="utf-8"), method_values(method, values))

    def files(self, contract: Contract, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Give every file of a new service: its path in the service's folder, and its text."""
        together = () if self.method else contract.methods
        values = {**values, "methods": "\n".join(self.method_text(each, values) for each in together)}
        for folder in (COMMON, self.folder / "service"):
            for path in sorted(each for each in folder.rglob(f"*{SUFFIX}") if each.is_file()):
                name = path.relative_to(folder).as_posix().removesuffix(SUFFIX)
                yield filled(name, values), filled(path.read_text(encoding="utf-8"), values)
        for method in contract.methods if self.method else ():
            yield filled(self.method, method_values(method, values)), self.method_text(method, values)

    def refused_names(self) -> set[str]:
        """Give the names that no service of the language can have."""
        if not self.taken:
            return set()
        return set(_run(tuple(word.format(python=sys.executable) for word in self.taken), self.root).split())

    def shared(self) -> tuple[str, ...]:
        """Give the files of the checkout that a new service changes."""
        return tuple(dict.fromkeys((*(join.file for join in self.joins), *self.changes)))

    def bring_into_form(self, folder: Path) -> None:
        """Have the language's formatter go over new files."""
        self._run_all(self.format, folder=str(folder))

    def finish(self, name: str) -> None:
        """Have the language take note of a new service that is in its place."""
        self._run_all(self.after, name=name)

    def _run_all(self, commands: Sequence[Sequence[str]], **values: str) -> None:
        for command in commands:
            _run([word.format(python=sys.executable, **values) for word in command], self.root)


def load(root: Path, kit: Kit) -> Template:
    """Read the template of a language.

    Raises:
        Problem: it has none.
        DeclarationProblem: template.yaml is off.
    """
    folder = kit.folder / FOLDER
    if not folder.is_dir():
        having = ", ".join(sorted(path.parent.name for path in root.glob(f"kits/*/{FOLDER}"))) or "none"
        raise Problem(f"there is no template for {kit.language} yet ({folder.relative_to(root)}); there are: {having}")
    document = documents.read(folder / "template.yaml", root)
    document.only("adapter", "defines", "method", "taken", "format", "joins", "after", "changes")
    template = Template(
        root=root,
        folder=folder,
        adapter=document.text("adapter", shape="a glob such as internal/rpc/*.go"),
        defines=document.text("defines", shape="a regular expression with $method"),
        method=document.text("method", default=""),
        taken=document.texts("taken"),
        format=_commands(document, "format"),
        joins=tuple(_joins(document)),
        after=_commands(document, "after"),
        changes=document.texts("changes"),
    )
    for shape in SHAPES:
        if len(list((folder / "methods").glob(f"{shape}.*"))) != 1:
            document.wrong("", f"expected one file methods/{shape}.* beside it")
    if document.mistakes:
        raise DeclarationProblem(document.mistakes)
    return template


def _commands(document: documents.Document, key: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, command)) for command in document.items(key) if isinstance(command, list))


def _joins(document: documents.Document) -> Iterator[Join]:
    for each in document.items("joins"):
        if isinstance(each, dict) and each.keys() == {"file", "line"}:
            yield Join(**each)
        else:
            document.wrong("joins", f"each of 'joins' must hold file and line, found {each!r}")


def service_values(name: str, language: str, contract: Contract, test: Sequence[str]) -> dict[str, str]:
    """Give what is put into the files of a service."""
    summary = contract.summary or f"The service {name}."
    return {
        "name": name,
        "module": starter.module(name),
        "type": names.pascal(name),
        "language": language,
        "contract": contract.full_name,
        "contract_name": contract.name,
        "contract_snake": names.snake(contract.name),
        "contract_title": names.title(contract.name),
        "package": contract.package,
        "package_folder": contract.package.replace(".", "/"),
        "rust_package": names.rust_path(contract.package),
        "java_outer": names.java_outer(Path(contract.file).stem, contract.types),
        "proto": contract.file,
        "stem": Path(contract.file).stem,
        "summary": summary,
        "summary_quoted": json.dumps(summary, ensure_ascii=False),  # which YAML takes as well
        "test": " ".join(test),
    }


def method_values(method: Method, values: Mapping[str, str]) -> dict[str, str]:
    """Give what is put into a method: that of its service, and its own names."""
    return {
        **values,
        "method": method.name,
        "method_snake": names.snake(method.name),
        "method_camel": names.camel(method.name),
        "method_title": names.title(method.name),
        "request": method.request,
        "response": method.response,
        "request_title": names.title(method.request),
        "response_title": names.title(method.response),
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put names into a text.

    Raises:
        Problem: the text asks for one that there is not.
    """
    try:
        return Text(text).substitute(values)
    except (KeyError, ValueError) as error:
        raise Problem(f"a template asks for what there is not: {error}; there are: {', '.join(values)}") from error


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = tools.run(command, folder)
    except OSError as error:
        raise Problem(f"{command[0]} is needed and can't be run: {error.strerror}") from error
    if done.returncode != 0:
        raise Problem(f"{' '.join(command)} failed:\n{tools.said(done)}")
    return done.stdout
