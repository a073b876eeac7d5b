"""Which services people wrote about: the names of their entries, whether or not there is such a service."""

from gossamer_mesh.model import Entries
from gossamer_mesh.policy.defaults import KEY as DEFAULTS
from gossamer_mesh.policy.extras import FAULTS

VALUES = (FAULTS, f"{DEFAULTS}/")
"""How the keys begin, without `gossamer/`, that end with the name of a service."""


def subjects(entries: Entries) -> frozenset[str]:
    """Name the services of whose calls something is written."""
    keys = entries.extras.keys() | entries.broken_extras.keys()
    values = {key.removeprefix(prefix) for key in keys for prefix in VALUES if key.startswith(prefix)}
    return frozenset(entries.chains.keys() | entries.broken_chains.keys() | values) - {""}
