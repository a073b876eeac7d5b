"""Which instances were removed lately: the mesh no longer has them, but clients may still call them. Bounded."""

from gossamer_mesh.model import Instance, Mesh
from gossamer_mesh.model.difference import differ

KEPT = 1000
"""How many are remembered."""


class Removed:
    """The latest instances that were removed, as they were."""

    def __init__(self) -> None:
        self._instances: dict[tuple[str, str], Instance] = {}

    def note(self, before: Mesh, after: Mesh) -> None:
        """Remember what is no longer there."""
        for name in sorted(differ(before.services, after.services) & before.services.keys()):
            now = after.services.get(name)
            left = {instance.id for instance in now.instances} if now else set()
            for instance in before.services[name].instances:
                if instance.id not in left:
                    self._keep((name, instance.id), instance)

    def find(self, service: str, instance_id: str) -> Instance | None:
        """Find the instance as it was."""
        return self._instances.get((service, instance_id))

    def _keep(self, key: tuple[str, str], instance: Instance) -> None:
        self._instances.pop(key, None)
        self._instances[key] = instance
        if len(self._instances) > KEPT:
            del self._instances[next(iter(self._instances))]
