"""A checkout of its own for a stack: one service in the language of the shell, written by the test."""

from pathlib import Path

from .stack import ROOT, Stack

SHARED = ("gen", "consul", "mesh", "requirements.lock")
"""What every checkout of the project holds, and no test changes."""


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def give_checkout(stack: Stack, root: Path, *, kit: str, service: str, **scripts: str) -> Stack:
    """Have a stack run a checkout with the service `catalog`, whose scripts lie beside its declaration."""
    for name in SHARED:
        (root / name).symlink_to(ROOT / name)
    write(root / "gossamer.yaml", "name: tiny\n")
    write(root / "kits/shell/kit.yaml", kit)
    write(root / "services/catalog/service.yaml", service)
    for name, text in scripts.items():
        write(root / "services/catalog" / name, text)
    stack.root = root
    return stack
