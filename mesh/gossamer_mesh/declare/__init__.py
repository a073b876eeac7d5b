"""What a checkout declares: gossamer.yaml, services/*/service.yaml and kits/*/kit.yaml as typed values.

Everything that is wrong is found in one go and raised together, each with its file, line and a way to mend it.
"""

from gossamer_mesh.declare.kit import Kit, Tool
from gossamer_mesh.declare.service import Service
from gossamer_mesh.declare.settings import Settings
from gossamer_mesh.declare.workspace import DeclarationProblem, Workspace, find_root, load, load_settings

__all__ = [
    "DeclarationProblem",
    "Kit",
    "Service",
    "Settings",
    "Tool",
    "Workspace",
    "find_root",
    "load",
    "load_settings",
]
