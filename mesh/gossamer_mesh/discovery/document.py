"""YAML, of which JSON is a part, to plain values: all scalars as text, or as what they are in JSON. Never a date."""

import contextlib
import json
import re
from typing import Any

from gossamer_mesh.discovery.source import SourceError

SCALARS = (
    ("tag:yaml.org,2002:null", r"null", "n"),
    ("tag:yaml.org,2002:bool", r"true|false", "tf"),
    ("tag:yaml.org,2002:int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("tag:yaml.org,2002:float", r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+][0-9]+)?|[eE][-+][0-9]+)", "-0123456789"),
)
"""What JSON has besides text: the tag, the form, and how it begins. YAML reads an exponent only with its sign."""


def load_text(text: str, where: str) -> Any:
    """Read a document in which every scalar is text: 1.10 stays a version. JSON has told them apart itself.

    Raises `SourceError`.
    """
    return _load(text, where, typed=False)


def load_values(text: str, where: str) -> Any:
    """Read a document in which scalars without quotes are what they are in JSON. Raises `SourceError`."""
    return _load(text, where, typed=True)


def _load(text: str, where: str, *, typed: bool) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)  # a hundred times as fast, where it is JSON

    import yaml  # noqa: PLC0415 - a control plane that reads Consul does without its memory

    class Values(yaml.SafeLoader):
        """Like the safe one, with nothing but JSON's scalars."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - not shared with the class above

    for tag, form, first in SCALARS:
        Values.add_implicit_resolver(tag, re.compile(f"(?:{form})$"), list(first))
    try:
        # either makes only plain values
        return yaml.load(text, Loader=Values if typed else yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SourceError(f"expected YAML or JSON in {where}: {error}") from error
