"""Gossamer's control plane, supervisor, collector and command line."""
