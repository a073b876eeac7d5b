"""A store's users: what they can be called, and their passwords.

Those are files that only the stack's user can read, made when they are first needed.
"""

import re
import secrets
from pathlib import Path

USER = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""The name of a service's user: the service's own."""


def password(folder: Path, name: str) -> str:
    """Give the password of a name; a new one when it has none yet. `folder` is made, closed to others."""
    file = folder / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if not file.exists():
        new = file.with_name(f".{name}.new")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(24))
        new.rename(file)
    return file.read_text()
