"""Who asks: what clients are told depends on no more than this."""

from typing import NamedTuple


class Audience(NamedTuple):
    """Clients that are told the same."""

    zone: str = ""
    """Where they run."""
    caller: str = ""
    """The service that they are instances of."""
