"""Serves plans to gRPC clients as xDS: spells resources, keeps each stream's session, and the thin server around them.

Exception
  IllegalResourceError    a resource that some client would refuse; never sent
"""

from gossamer_mesh.xds.legality import IllegalResourceError
from gossamer_mesh.xds.resources import Resources, ResourceSet
from gossamer_mesh.xds.server import AdsServer, Stream
from gossamer_mesh.xds.session import Session
from gossamer_mesh.xds.signal import Signal
from gossamer_mesh.xds.types import Type

__all__ = ["AdsServer", "IllegalResourceError", "ResourceSet", "Resources", "Session", "Signal", "Stream", "Type"]
