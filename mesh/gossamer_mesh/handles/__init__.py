"""People's handles on traffic: what they ask for -> entries of Consul, whose these are, and what would be refused."""

from gossamer_mesh.handles.asking import carry_out
from gossamer_mesh.handles.errors import EntryOfOthers, HandleError, Unfit, VersionNotCalled

__all__ = ["EntryOfOthers", "HandleError", "Unfit", "VersionNotCalled", "carry_out"]
