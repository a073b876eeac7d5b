"""How the mesh is found: one seam with three real sources, and the care taken before a change is believed.

The sources are Consul (in its own room), a file, and memory. Nothing here knows xDS.

Error:
      SourceError     a source can't be read now; what was read before stays in use
"""

from gossamer_mesh.discovery.discovery import Discovery, Snapshot
from gossamer_mesh.discovery.file import FileSource
from gossamer_mesh.discovery.memory import MemorySource
from gossamer_mesh.discovery.second_look import Held, SecondLook
from gossamer_mesh.discovery.source import Listener, Source, SourceError

__all__ = [
    "Discovery",
    "FileSource",
    "Held",
    "Listener",
    "MemorySource",
    "SecondLook",
    "Snapshot",
    "Source",
    "SourceError",
]
