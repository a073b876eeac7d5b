"""What the collector is started with: its flags, checked, all errors at once. Nothing else reads the command line."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from gossamer_mesh.collect import jaeger
from gossamer_mesh.collect.store import MIN_BYTES
from gossamer_mesh.errors import ConfigurationProblem, UsageProblem

_SIZE: Final = re.compile(r"(\d{1,15})\s*(|B|KiB|MiB|GiB|kB|MB|GB)")
_SIZES: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_HIGHEST_PORT: Final = 65535

_EXAMPLES: Final = """\
examples:
  python -m gossamer_mesh.collect --store .gossamer/spans.db
  python -m gossamer_mesh.collect --store /tmp/spans.db --max-bytes 64MiB --max-age 1h --query 127.0.0.1:0
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    """0: the system chooses."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a collector runs."""

    grpc: Address
    """OTLP over gRPC, health and reflection."""
    http: Address
    """OTLP over HTTP."""
    query: Address
    """Jaeger's read API."""
    store: Path
    """The SQLite file."""
    max_bytes: int
    """Bound of the file; the oldest traces leave first."""
    max_age: float
    """Seconds that a span stays."""


def from_arguments(arguments: Sequence[str]) -> Settings:
    """Read the command line.

    Raises:
        UsageProblem: an unknown flag, or one without its value.
        ConfigurationProblem: values that can't be used, all of them.
    """
    flags = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {"store": Path(flags["store"])}
    faults = []
    for flag, read in _READERS.items():
        try:
            values[flag.replace("-", "_")] = read(flags[flag.replace("-", "_")])
        except ValueError as error:
            faults.append(f"--{flag}: {error}")
    if faults:
        raise ConfigurationProblem("; ".join(faults))
    return Settings(**values)


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ValueError(f"expected HOST:PORT, found {text!r}")
    return Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _SIZES[match[2]] if match else 0
    if size < MIN_BYTES:
        raise ValueError(f"expected a size of at least 1MiB such as 256MiB, found {text!r}")
    return size


def _age(text: str) -> float:
    try:
        age = jaeger.age(text)
    except ValueError:
        age = 0
    if age <= 0:
        raise ValueError(f"expected a duration such as 90m, 24h or 7d, found {text!r}")
    return age


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "grpc": _address,
    "http": _address,
    "query": _address,
    "max-bytes": _size,
    "max-age": _age,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m gossamer_mesh.collect",
        description="Receive telemetry (OTLP), keep spans in SQLite, answer Jaeger's read API.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--grpc", metavar="HOST:PORT", default="127.0.0.1:4317", help="OTLP over gRPC; port 0: any (%(default)s)")
    add("--http", metavar="HOST:PORT", default="127.0.0.1:4318", help="OTLP over HTTP (%(default)s)")
    add("--query", metavar="HOST:PORT", default="127.0.0.1:16686", help="Jaeger's read API (%(default)s)")
    add("--store", metavar="PATH", required=True, help="the SQLite file; made if it isn't there")
    add("--max-bytes", metavar="SIZE", default="256MiB", help="bound of the file (%(default)s)")
    add("--max-age", metavar="DURATION", default="24h", help="how long a span stays (%(default)s)")
    return parser
