"""What the mesh is made of, in frozen values. Imports nothing from the other rooms."""

from gossamer_mesh.model.audience import Audience
from gossamer_mesh.model.entries import Entries
from gossamer_mesh.model.mesh import Health, Instance, Mesh, Service
from gossamer_mesh.model.plan import (
    Abort,
    Balance,
    Cluster,
    Delay,
    Endpoint,
    Fault,
    Header,
    HeaderIs,
    Match,
    Outlier,
    PathIs,
    Plan,
    Retry,
    RetryBudget,
    Route,
    Share,
)

__all__ = [
    "Abort",
    "Audience",
    "Balance",
    "Cluster",
    "Delay",
    "Endpoint",
    "Entries",
    "Fault",
    "Header",
    "HeaderIs",
    "Health",
    "Instance",
    "Match",
    "Mesh",
    "Outlier",
    "PathIs",
    "Plan",
    "Retry",
    "RetryBudget",
    "Route",
    "Service",
    "Share",
]
