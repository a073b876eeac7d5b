"""What one instance is told by its environment: the kit's configuration, its database, and how long pieces are held."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from gossamer_kit import Config, ConfigError

HOLD = 600.0
"""Seconds for which pieces are put aside for an order, which nobody needs unless somebody is killed."""


def configure(environment: Mapping[str, str] | None = None) -> tuple[Config, str, float]:
    """Return the kit's configuration, DATABASE_URL, and the seconds of ORDERS_HOLD.

    Raises ConfigError, which names every bad variable, the kit's and ours.
    """
    given = os.environ if environment is None else environment
    problems: list[str] = []
    config = None
    try:
        config = Config.from_environment(given)
    except ConfigError as error:
        problems += error.problems
    url = given.get("DATABASE_URL", "")
    if not _is_database(url):
        found = "nothing" if not url else "something else"  # it may hold a password
        problems.append(f"DATABASE_URL: expected postgresql://role:password@host:port/database, found {found}")
    hold = _seconds(given.get("ORDERS_HOLD", ""))
    if hold is None:
        problems.append(f"ORDERS_HOLD: expected seconds from 1 to 86400, found {given['ORDERS_HOLD']!r}")
    if config is None or hold is None or problems:
        raise ConfigError(problems)
    return config, url, hold


def _seconds(text: str) -> float | None:
    """Read how long pieces are put aside; None for what the inventory refuses."""
    try:
        seconds = float(text or HOLD)
    except ValueError:
        return None
    return seconds if 1 <= seconds <= 86400 else None  # noqa: PLR2004 - a day


def _is_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"postgresql", "postgres"} and bool(parts.hostname) and bool(parts.path[1:]) and port != 0
