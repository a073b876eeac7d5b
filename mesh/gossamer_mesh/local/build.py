"""Builds services whose sources have changed, judged by content. When nothing has changed, no tool starts."""

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gossamer_mesh.declare import Kit, Service
from gossamer_mesh.declare.kit import CONTRACT
from gossamer_mesh.declare.workspace import IMAGE
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import parts

LAST_LINES = 20


@dataclass(frozen=True)
class Built:
    """Two fingerprints: of the sources, and of what an instance runs. The same program may come of other sources."""

    sources: str
    program: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one service is built and run.

    Attributes:
        contracts: what the service serves, and what those serve that it calls.
        output: where the built program goes.
    """

    root: Path
    service: Service
    kit: Kit
    contracts: tuple[str, ...]
    output: Path

    def fill(self, words: tuple[str, ...]) -> list[str]:
        """Put this service's values into the placeholders of a kit's command."""
        return [word.format_map(self._values()) for word in words]

    def environment(self) -> dict[str, str]:
        """Give the environment that the kit wants for a running instance."""
        return {key: value.format_map(self._values()) for key, value in self.kit.env.items()}

    def fingerprint(self) -> str:
        """Hash all that an instance depends on: its sources, by name and content, and how it is built and run."""
        return fingerprint(self.root, self.fill(tuple(self._sources())), start=self._declared())

    def built(self, sources: str) -> "Built":
        """Say what an instance runs that is started now, built from sources with a fingerprint."""
        if not self.kit.self_contained:
            return Built(sources, sources)
        return Built(sources, hashlib.sha256(self._declared().encode() + self.output.read_bytes()).hexdigest())

    def _declared(self) -> str:
        return repr((self.kit.build, self.kit.run, sorted(self.kit.env.items()), self.service.stores))

    def _sources(self) -> Iterator[str]:
        """Give the kit's globs, those of contracts once for each folder: a contract of others makes nothing stale."""
        image = FileDescriptorSet.FromString((self.root / IMAGE).read_bytes())
        folders = contract_folders(image, self.contracts)
        for pattern in self.kit.sources:
            yield from ([pattern.replace(CONTRACT, folder) for folder in folders] if CONTRACT in pattern else [pattern])

    def _values(self) -> Mapping[str, str]:
        return {
            "root": str(self.root),
            "service": self.service.name,
            "module": self.service.name.replace("-", "_"),
            "output": str(self.output),
            "python": sys.executable,
        }


def contract_folders(image: FileDescriptorSet, contracts: Iterable[str]) -> list[str]:
    """Give the folders of the files that hold these contracts, and of all that those import."""
    files = {file.name: file for file in image.file}
    wanted = set(contracts)
    left = [file.name for file in image.file if wanted & {f"{file.package}.{each.name}" for each in file.service}]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found and name in files:
            found.add(name)
            left += files[name].dependency
    return sorted({name.rpartition("/")[0] for name in found})


def fingerprint(root: Path, patterns: Iterable[str], *, start: str = "") -> str:
    """Hash the names and contents of the files below root that match."""
    digest = hashlib.sha256(start.encode())
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                with contextlib.suppress(FileNotFoundError):  # an editor's own file may vanish at any moment
                    content = hashlib.sha256(path.read_bytes()).digest()
                    digest.update(path.relative_to(root).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()


def missing_tool(kit: Kit) -> str:
    """Say which tool of a language this machine lacks and how to get it; empty when all are there."""
    for tool in kit.tools:
        minimum = tuple(int(number) for number in tool.minimum.split("."))
        version = parts.version_of([word.format(python=sys.executable) for word in tool.check])
        if version is None:
            return f"{tool.name} {tool.minimum} or newer is needed and not found; {tool.hint}"
        if version[: len(minimum)] < minimum:
            return f"{tool.name} {tool.minimum} or newer is needed, found {'.'.join(map(str, version))}; {tool.hint}"
    return ""


async def build(recipe: Recipe, say: Callable[[str], None]) -> Built:
    """Build a service unless it was built from just these sources; return what it is now.

    Raises:
        Problem: the build failed; with the last lines of what it printed.
    """
    current = await asyncio.to_thread(recipe.fingerprint)
    stamp = recipe.output.with_name(f"{recipe.output.name}.sha256")
    if not recipe.kit.build or (
        recipe.output.is_file() and stamp.is_file() and stamp.read_text(encoding="ascii") == current
    ):
        return await asyncio.to_thread(recipe.built, current)
    recipe.output.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)  # a build that is cut short may leave half a program
    command = recipe.fill(recipe.kit.build)
    say("building: " + " ".join(recipe.kit.build[:2]))
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=recipe.root,
        env={**os.environ, "PATH": parts.search_path()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = output.decode(errors="replace").splitlines()[-LAST_LINES:]
        raise Problem(f"{recipe.service.name} can't be built: {' '.join(command)}\n" + "\n".join(lines))
    stamp.write_text(current, encoding="ascii")
    return await asyncio.to_thread(recipe.built, current)
