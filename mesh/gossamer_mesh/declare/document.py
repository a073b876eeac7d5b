"""Reads one YAML file so that every mistake can be named with its line. Knows nothing of what files mean.

A Document collects mistakes instead of raising them, so that a person sees all at once.
"""

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True, order=True)
class Mistake:
    """One thing that is wrong in a file, or in an environment variable (then without a line), and how to mend it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


@dataclass
class Document:
    """A mapping from a YAML file, with the line of every key."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    unreadable: bool = False

    def refuse(self, message: str, line: int = 1) -> None:
        """Note that the file as a whole can't be read; what its keys lack is then not worth a word."""
        self.mistakes.append(Mistake(file=self.file, line=line, message=message))
        self.unreadable = True

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake at a key."""
        if self.unreadable:
            return
        self.mistakes.append(Mistake(file=self.file, line=self.lines.get(key, 1), message=message))

    def wrong_variable(self, name: str, message: str) -> None:
        """Note a mistake in an environment variable."""
        self.mistakes.append(Mistake(file=name, line=0, message=message))

    def only(self, *known: str) -> None:
        """Note every key that is not known, with the known one that comes nearest."""
        for key in self.values.keys() - set(known):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            self.wrong(key, f"unknown key {key!r}; {hint}")

    def text(self, key: str, *, default: str | None = None, pattern: str = "", shape: str = "") -> str:
        """Read a text. Without a default it is required; with a pattern it must match, or shape is told."""
        value = self.values.get(key, default)
        if value is None:
            self.wrong(key, f"{key!r} is missing; write {key}: followed by {shape or 'a text'}")
        elif not isinstance(value, str):
            self.wrong(key, f"{key!r} must be a text, found {value!r}")
        elif pattern and not re.fullmatch(pattern, value):
            self.wrong(key, f"{key!r} must be {shape}, found {value!r}")
        else:
            return value
        return ""

    def number(self, key: str, *, default: int, low: int, high: int) -> int:
        """Read a whole number between low and high."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(key, f"{key!r} must be a whole number from {low} to {high}, found {value!r}")
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"{key!r} must be true or false, found {value!r}")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; none when the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, f"{key!r} must be a list of texts such as [a, b], found {value!r}")
            return ()
        return tuple(value)

    def items(self, key: str) -> list[Any]:
        """Read a list of anything; empty when the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            self.wrong(key, f"{key!r} must be a list, found {value!r}")
            return []
        return value

    def table(self, key: str) -> dict[str, str]:
        """Read a mapping of texts to texts; empty when the key is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
            self.wrong(key, f"{key!r} must be a mapping of texts, found {value!r}")
            return {}
        return dict(value)


def read(path: Path, root: Path) -> Document:
    """Read a YAML mapping; what can't be read is a mistake in the document, not an exception."""
    document = Document(path.relative_to(root).as_posix())
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        if node is not None and not isinstance(node, yaml.MappingNode):
            document.refuse("must hold keys and values, found something else")
        elif node is not None:
            _take(document, node)
    except yaml.MarkedYAMLError as error:
        document.refuse(
            f"is not YAML: {error.problem or error}", error.problem_mark.line + 1 if error.problem_mark else 1
        )
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        document.refuse(f"can't be read: {error}")
    return document


def _take(document: Document, node: yaml.MappingNode) -> None:
    constructor = yaml.constructor.SafeConstructor()
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        try:
            key = str(constructor.construct_object(key_node, deep=True))
            value = constructor.construct_object(value_node, deep=True)
        except ValueError as error:  # a value such as 2024-99-99, which YAML takes for a date
            document.refuse(f"holds what can't be read: {error}; put texts in quotes", line)
            return
        if key in document.values:
            document.mistakes.append(Mistake(file=document.file, line=line, message=f"{key!r} stands here twice"))
            continue
        document.lines[key], document.values[key] = line, value
