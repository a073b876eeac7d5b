"""Reads the mesh from Consul: the blocking queries, and what their answers mean. Decides nothing about traffic."""

from gossamer_mesh.consul.source import ConsulSource

__all__ = ["ConsulSource"]
