"""What differs between two readings of the same. What did not change is the same object in both, and costs nothing."""

from collections.abc import Mapping
from typing import Any


def differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Name what is not equal in both, or in one of them only."""
    changed = {name for name, now in after.items() if now is not (was := before.get(name)) and now != was}
    return frozenset(changed | (before.keys() - after.keys()))
