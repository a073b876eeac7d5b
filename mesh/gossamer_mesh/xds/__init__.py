"""Serves plans to gRPC clients as xDS: spells resources, keeps each stream's session, and the thin server around them.

Exception
  IllegalResourceError    a resource that some client would refuse; never sent
"""

from gossamer_mesh.xds.legality import IllegalResourceError
from gossamer_mesh.xds.load_reports import LoadReports
from gossamer_mesh.xds.resource import ResourceSet
from gossamer_mesh.xds.resources import Resources
from gossamer_mesh.xds.server import AdsServer, Stream
from gossamer_mesh.xds.session import Session
from gossamer_mesh.xds.signal import Signal
from gossamer_mesh.xds.types import Type
from gossamer_mesh.xds.views import Dialect, View

__all__ = [
    "AdsServer",
    "Dialect",
    "IllegalResourceError",
    "LoadReports",
    "ResourceSet",
    "Resources",
    "Session",
    "Signal",
    "Stream",
    "Type",
    "View",
]
