"""The command line of the control plane -> settings. All mistakes are told at once; nothing is bound before."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ERROR_STATUS = 64
"""The exit status after wrong settings."""


class SettingsError(Exception):
    """Settings that can't be used. The message has a line for each: what was expected, found, and to be done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one control plane needs to know."""

    listen: str = "127.0.0.1:18000"
    """`host:port` of xDS, the API, health and reflection; port 0: the system chooses."""
    consul: str = "http://127.0.0.1:8500"
    """URL of the Consul agent that the mesh is read from."""
    file: Path | None = None
    """Read the mesh from this file instead of Consul."""
    contracts: Path | None = None
    """The descriptor image of all contracts; none: no method is ever called again."""
    second_look: float = 8.0
    """Seconds that a mass removal waits for a second look."""
    coalescing: float = 0.05
    """Seconds after a change was told to clients until they are told the next: what changes meanwhile is told together,
    as a client costs as much for one change as for many."""
    settle: float = 5.0
    """Seconds after the mesh was read first in which no drain is called done: clients may not have come back yet."""
    consul_program: Path | None = None
    """The program `consul`, with which entries are checked before they are written; none: they can't be."""
    otlp: str = ""
    """URL of the OTLP receiver, over gRPC, that metrics are exported to; empty: none."""
    otlp_interval: float = 15.0
    """Seconds between two exports."""
    instance: str = "control"
    """Its id in log lines."""


def parse(arguments: Sequence[str]) -> Settings:
    """Read the command line. Raises `SettingsError`; ends with status 2 when it can't be parsed at all."""
    given = vars(_parser().parse_args(arguments))
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    urls = (_url("--consul", settings.consul), _url("--otlp", settings.otlp) if settings.otlp else "")
    mistakes = [mistake for mistake in (_listen(settings), *urls, _contracts(settings)) if mistake]
    for option, seconds in (
        ("--second-look", settings.second_look),
        ("--coalescing", settings.coalescing),
        ("--settle", settings.settle),
    ):
        if not seconds >= 0:  # nor is it NaN
            mistakes.append(f"{option}: expected seconds, 0 or more, found {seconds}")
    if not settings.otlp_interval > 0:
        mistakes.append(f"--otlp-interval: expected seconds, more than 0, found {settings.otlp_interval}")
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gossamer_mesh.control", description="Serves the mesh to gRPC clients, as xDS."
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--consul", metavar="URL", help="the Consul agent to read (http://127.0.0.1:8500)")
    source.add_argument("--file", metavar="PATH", type=Path, help="a YAML or JSON file to read instead of Consul")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen (127.0.0.1:18000)")
    parser.add_argument("--contracts", metavar="PATH", type=Path, help="the descriptor image of all contracts")
    parser.add_argument("--second-look", metavar="SECONDS", type=float, help="wait before a mass removal (8)")
    parser.add_argument("--coalescing", metavar="SECONDS", type=float, help="tell changes within it together (0.05)")
    parser.add_argument("--settle", metavar="SECONDS", type=float, help="call no drain done after a start (5)")
    parser.add_argument("--consul-program", metavar="PATH", type=Path, help="consul, to check entries with (none)")
    parser.add_argument("--otlp", metavar="URL", help="where metrics are exported to, over OTLP and gRPC (nowhere)")
    parser.add_argument("--otlp-interval", metavar="SECONDS", type=float, help="how often (15)")
    parser.add_argument("--instance", metavar="ID", help="the id in log lines (control)")
    return parser


def _listen(settings: Settings) -> str:
    host, _, port = settings.listen.rpartition(":")
    if host and port.isdecimal() and int(port) < 65536:  # noqa: PLR2004 - the ports there are
        return ""
    return f"--listen: expected host:port, as in 127.0.0.1:18000, found {settings.listen!r}"


def _url(option: str, given: str) -> str:
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number
        usable = False
    return "" if usable else f"{option}: expected a URL, as in http://127.0.0.1:8500, found {given!r}"


def _contracts(settings: Settings) -> str:
    if settings.contracts is None or settings.contracts.is_file():
        return ""
    return f"--contracts: expected a file, found none at {settings.contracts}: run `make protos`"
