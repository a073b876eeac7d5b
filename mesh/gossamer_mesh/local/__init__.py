"""The stack of one machine: which programs it needs, how they are built, started, watched and ended."""
