"""Files that an environment file names: they lie beside it, wherever a command is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def beside(file: Path, name: str) -> Path:
    """The place of what the environment file calls this."""
    return (file.parent / name).resolve()


def credential(file: Path, reference: str) -> str:
    """A reference to a credential, which names a place only where it begins with `file:`."""
    kind, _, name = reference.partition(":")
    return f"file:{beside(file, name)}" if kind == "file" else reference
