"""The steps from a contract to a service's folder, and from a changed contract to the methods that it lacks.

Everything that can be refused is refused before anything is written. A folder appears whole or not at all.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gossamer_mesh.declare import Kit, Service, Workspace
from gossamer_mesh.declare.service import NAME, NAME_SHAPE, RESERVED
from gossamer_mesh.errors import Problem, UsageProblem
from gossamer_mesh.local import build
from gossamer_mesh.scaffold import contract as contracts
from gossamer_mesh.scaffold import starter
from gossamer_mesh.scaffold import template as templates
from gossamer_mesh.scaffold.contract import Contract, Method
from gossamer_mesh.scaffold.template import Template

MARK = "gossamer new --update adds methods above this line"
"""Stands, behind the contract's full name, in the one file that a template writes all methods to."""
INVITATION = """\
try:
  - method: {method}
    json: '{json}'
"""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was done.

    Attributes:
        contract: the full name of the contract that the service serves.
        proto: the contract's file, from the root.
        written: files that were made, or got a line for the service, from the root; stubs left out.
        added: RPCs that got a method in a file that was there.
        lacking: RPCs that have no method.
        test: the command that tests the service.
        method: an RPC to call first, and its request as JSON.
    """

    name: str
    language: str
    contract: str
    proto: str
    written: tuple[str, ...]
    added: tuple[str, ...]
    lacking: tuple[str, ...]
    test: tuple[str, ...]
    method: str
    request: str


def new(workspace: Workspace, name: str, language: str, proto: Path | None) -> Made:
    """Write a service, or only say what there is when it is there already.

    Args:
        workspace: the checkout.
        name: the service's.
        language: a folder of kits/.
        proto: a contract in protos/; None: the one of the service's own name, written if it is not there.

    Raises:
        Problem: something of it is refused; nothing was written.
    """
    if name in workspace.services:
        return _as_it_is(workspace, workspace.services[name], language, proto)
    _require_name(workspace, name)
    kit = _kit(workspace, language)
    template = templates.load(workspace.root, kit)
    if lacking := build.missing_tool(kit):
        raise Problem(f"{language}: {lacking}")
    if name in template.refused_names():
        raise UsageProblem(f"{name!r} can't be the name of a service in {language}, which has that name itself")
    with _contract_file(workspace, name, proto) as (file, is_new):
        contracts.lint(workspace.root, file)
        contract = contracts.one_of(contracts.compiled(workspace.root), file)
        _require_unserved(workspace, contract)
        contracts.generate(workspace.root)
        written = _write(workspace, template, kit, name, contract)
    starting = (f"{contracts.FOLDER}/{file}",) if is_new else ()
    return _made(kit, name, contract, written=(*starting, *written))


def update(workspace: Workspace, name: str) -> Made:
    """Give a service the methods of RPCs that its contract got since. Nothing else that is there changes.

    Raises:
        Problem: there is no such service, or nothing says where its methods go.
    """
    if name not in workspace.services:
        known = ", ".join(workspace.services) or "none"
        raise UsageProblem(f"there is no service {name!r} to update; there are: {known}")
    service = workspace.services[name]
    kit = workspace.kits[service.language]
    template = templates.load(workspace.root, kit)
    contract = _served(workspace, service)
    contracts.lint(workspace.root, contract.file)
    contracts.generate(workspace.root)
    lacking = _lacking(workspace, service, contract, template)
    values = _values(kit, name, contract)
    written: list[str] = []
    if template.method:
        for method in lacking:
            path = service.folder / templates.filled(template.method, templates.method_values(method, values))
            _write_new(path, template.method_text(method, values))
            written.append(path.relative_to(workspace.root).as_posix())
    elif lacking:
        _insert(service, template, contract, lacking, values)
    added = tuple(method.name for method in lacking)
    return _made(kit, name, contract, written=tuple(written), added=added)


def _as_it_is(workspace: Workspace, service: Service, language: str, proto: Path | None) -> Made:
    """Say what there is of a service that was written before."""
    if language and language != service.language:
        raise Problem(f"{service.name} is there already, in {service.language}: choose another name")
    contract = _served(workspace, service)
    if proto and contracts.locate(workspace.root, proto) != contract.file:
        raise Problem(f"{service.name} is there already, and serves {contract.full_name}; choose another name")
    kit = workspace.kits[service.language]
    lacking = _lacking(workspace, service, contract, templates.load(workspace.root, kit))
    return _made(kit, service.name, contract, lacking=tuple(method.name for method in lacking))


def _require_name(workspace: Workspace, name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise UsageProblem(f"expected a name of {NAME_SHAPE}, found {name!r}")
    if name in RESERVED:
        raise UsageProblem(f"{name!r} is a name that the stack uses itself ({', '.join(RESERVED)})")
    folder = workspace.root / "services" / name
    if folder.exists():
        raise Problem(f"services/{name} is there already and holds no service.yaml; remove it, or choose another name")


def _kit(workspace: Workspace, language: str) -> Kit:
    known = ", ".join(workspace.kits)
    if not language:
        raise UsageProblem(f"expected --language, one of: {known}")
    if language not in workspace.kits:
        raise UsageProblem(f"there is no language {language!r}; there are: {known}")
    return workspace.kits[language]


@contextmanager
def _contract_file(workspace: Workspace, name: str, proto: Path | None) -> Iterator[tuple[str, bool]]:
    """Give the contract's file below protos/, and whether it was written now, to be taken back if the block fails."""
    root = workspace.root
    if proto:
        yield contracts.locate(root, proto), False
        return
    file = starter.path(name)
    path = root / contracts.FOLDER / file
    if path.exists():
        yield file, False
        return
    if not starter.is_usable(name):
        raise UsageProblem(f"{name!r} can't be the package of a contract, since it is a word of Python or Java itself")
    missing = next(each for each in (*reversed(path.parents), path) if not each.exists())
    _write_new(path, starter.text(name))
    try:
        yield file, True
    except BaseException:
        _remove(missing)
        if any(root.glob(f"gen/*/{Path(file).parent}")):
            contracts.generate(root)
        raise


def _require_unserved(workspace: Workspace, contract: Contract) -> None:
    for service in workspace.services.values():
        if contract.full_name in service.contracts:
            raise Problem(f"{contract.full_name} is served by {service.name} already; a contract has one service")


def _served(workspace: Workspace, service: Service) -> Contract:
    """Give the one contract that a service serves."""
    if len(service.contracts) != 1:
        raise Problem(f"{service.name} serves {len(service.contracts)} contracts; only one of one can be followed")
    found = [each for each in contracts.compiled(workspace.root) if each.full_name == service.contracts[0]]
    if not found:
        raise Problem(f"no contract {service.contracts[0]} in {contracts.FOLDER}/{starter.CONTEXT}/")
    return contracts.one_of(tuple(found), found[0].file)


def _lacking(workspace: Workspace, service: Service, contract: Contract, template: Template) -> list[Method]:
    values = _values(workspace.kits[service.language], service.name, contract)
    return [each for each in contract.methods if not template.is_defined(service.folder, each, values)]


def _values(kit: Kit, name: str, contract: Contract) -> dict[str, str]:
    return templates.service_values(name, kit.language, contract, _test(kit, name))


def _test(kit: Kit, name: str) -> tuple[str, ...]:
    """Give the command that tests a service, as a person types it at the root."""
    values = {"root": ".", "service": name, "module": starter.module(name), "python": ".venv/bin/python", "output": ""}
    return tuple(word.format_map(values) for word in kit.test)


def _write(workspace: Workspace, template: Template, kit: Kit, name: str, contract: Contract) -> tuple[str, ...]:
    """Write a service's folder beside where it goes, bring it into form, and put it there at once."""
    values = _values(kit, name, contract)
    target = workspace.root / "services" / name
    with tempfile.TemporaryDirectory(dir=workspace.root, prefix=".new-") as around:
        folder = Path(around, "services", name)
        for file, text in template.files(contract, values):
            _write_new(folder / file, text)
        method, request = starter.attempt(name)
        if method in {f"{contract.full_name}/{each.name}" for each in contract.methods}:
            with (folder / "service.yaml").open("a", encoding="utf-8") as declaration:
                declaration.write(INVITATION.format(method=method, json=request))
        template.bring_into_form(folder)
        target.parent.mkdir(exist_ok=True)
        with _joined(workspace.root, template, values) as joined:
            folder.rename(target)
            try:
                template.finish(name)
            except BaseException:
                shutil.rmtree(target)
                raise
    files = (path.relative_to(workspace.root).as_posix() for path in target.rglob("*") if path.is_file())
    return (*sorted(files), *joined)


@contextmanager
def _joined(root: Path, template: Template, values: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Give the files that list services a line for a new one, name all that change; all is taken back on failure."""
    before = {file: (root / file).read_text(encoding="utf-8") for file in template.shared()}
    try:
        for join in template.joins:
            _replace(root / join.file, _with_line(before[join.file], join, values))
        yield tuple(before)
    except BaseException:
        for file, text in before.items():
            _replace(root / file, text)
        raise


def _with_line(text: str, join: templates.Join, values: dict[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    if not any(templates.JOIN in line for line in lines):
        raise Problem(f"{join.file} does not say where services go; write a comment there: {templates.JOIN}")
    added = templates.filled(join.line, values) + "\n"
    return "".join(added + line if templates.JOIN in line else line for line in lines)


def _insert(
    service: Service, template: Template, contract: Contract, methods: Sequence[Method], values: dict[str, str]
) -> None:
    """Add methods above the line that says so."""
    mark = f"{contract.full_name}: {MARK}"
    for path in template.adapters(service.folder, values):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        place = next((number for number, line in enumerate(lines) if mark in line), None)
        if place is not None:
            lines[place:place] = [template.method_text(method, values) + "\n" for method in methods]
            _replace(path, "".join(lines))
            return
    names = ", ".join(method.name for method in methods)
    raise Problem(
        f"{service.name} has no method for {names}, and no line that says where methods go; write one where you want "
        f"them, as a comment: {mark}"
    )


def _made(
    kit: Kit, name: str, contract: Contract,
    *, written: tuple[str, ...] = (), added: tuple[str, ...] = (), lacking: tuple[str, ...] = (),
) -> Made:  # fmt: skip
    method, request = starter.attempt(name)
    if method not in {f"{contract.full_name}/{each.name}" for each in contract.methods}:
        method, request = f"{contract.full_name}/{contract.methods[0].name}", "{}"
    return Made(
        name=name,
        language=kit.language,
        contract=contract.full_name,
        proto=f"{contracts.FOLDER}/{contract.file}",
        written=written,
        added=added,
        lacking=lacking,
        test=_test(kit, name),
        method=method,
        request=request,
    )


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _replace(path: Path, text: str) -> None:
    """Write a file anew, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    shutil.copymode(path, part)
    part.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
