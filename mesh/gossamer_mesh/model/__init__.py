"""What the mesh is made of, in frozen values. Imports nothing from the other rooms."""

from gossamer_mesh.model.mesh import Health, Instance, Mesh, Service
from gossamer_mesh.model.plan import Endpoint, Plan, Retry, Route

__all__ = ["Endpoint", "Health", "Instance", "Mesh", "Plan", "Retry", "Route", "Service"]
