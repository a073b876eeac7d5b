"""What is wrong with entries also while nobody is there whom they are for: callers' own limits, and keys nobody reads.

Everything else is a part of some service's plan, and what is wrong with it is found when that is made.
"""

from collections.abc import Mapping
from typing import Any

from gossamer_mesh.model import Cluster, Entries
from gossamer_mesh.policy import clusters
from gossamer_mesh.policy.defaults import KEY as DEFAULTS
from gossamer_mesh.policy.extras import FAULTS, PREFIX
from gossamer_mesh.policy.refusals import Refusal, Refusals

NOT_READ = (
    f"expected {PREFIX}{DEFAULTS}, {PREFIX}{DEFAULTS}/SERVICE or {PREFIX}{FAULTS}SERVICE, found a key that nobody reads"
)


def stray(entries: Entries) -> frozenset[Refusal]:
    """Find it."""
    found: list[Refusal] = []
    for caller, written in entries.defaults.items():
        refusals, subject = Refusals(caller), f"service-defaults/{caller}"
        try:
            for callee in _callees(written):
                clusters.limited(Cluster(name=callee), callee, written, subject, refusals)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            refusals.say(subject, f"expected what Consul 1.22 gives, found something else: {error!r}")
        found += refusals.found
    keys = (key for key in entries.extras.keys() | entries.broken_extras.keys() if not is_read(key))
    return frozenset(found).union(Refusal("", f"{PREFIX}{key}", NOT_READ) for key in keys)


def is_read(key: str) -> bool:
    """Tell whether a key, without `gossamer/`, is one that is read."""
    return key == DEFAULTS or any(key.startswith(each) and key != each for each in (FAULTS, f"{DEFAULTS}/"))


def _callees(written: Mapping[str, Any]) -> list[str]:
    overrides = (written.get("UpstreamConfig") or {}).get("Overrides") or ()
    return ["", *(str(each.get("Name", "")) for each in overrides)]
