"""What one instance is told by its environment: the kit's configuration, and where its database is."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from gossamer_kit import Config, ConfigError


def configure(environment: Mapping[str, str] | None = None) -> tuple[Config, str]:
    """Return the kit's configuration and DATABASE_URL.

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
    if config is None or problems:
        raise ConfigError(problems)
    return config, url


def _is_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"postgresql", "postgres"} and bool(parts.hostname) and bool(parts.path[1:]) and port != 0
