"""Free ports for what a test starts, and may kill and start again on the same one while other tests take ports too."""

from gossamer_mesh.local.ports import Reserved

_reserved = Reserved()
"""Held until the test process ends, so that no other test of this machine is given one in between."""


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, and nobody is given who doesn't name them."""
    return [_reserved.take() for _ in range(count)]
