"""Files that an environment file names: they lie beside it, wherever a command is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def beside(file: Path, name: str) -> Path:
    """The place of what the environment file calls this; `~` is the home of whoever gives the command."""
    return (file.parent / os.path.expanduser(name)).resolve()  # noqa: PTH111 - Path's raises where there is no home


def credential(file: Path, reference: str) -> str:
    """A reference to a credential, which names a place only where it begins with `file:`."""
    kind, _, name = reference.partition(":")
    return f"file:{beside(file, name)}" if kind == "file" else reference
