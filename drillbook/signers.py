"""Chooses who signs evidence, by what the environment file or the command line says of the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.evidence.keys import FileSigner, KeyUnusable

if TYPE_CHECKING:
    from drillbook.evidence.keys import Signer


def signer_of(reference: str) -> Signer:
    """The signer behind a reference.

    Args:
        reference: `file:PATH`.

    Raises:
        KeyUnusable: When the reference is none.
    """
    kind, _, place = reference.partition(":")
    if place and kind == "file":
        return FileSigner(Path(place))
    raise KeyUnusable(f"{reference!r} names no signing key: give file:PATH")
