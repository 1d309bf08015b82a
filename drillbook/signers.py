"""Chooses who signs evidence, by what the environment file or the command line says of the key."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.evidence import signing
from drillbook.evidence.keys import FileSigner, KeyUnusable

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment
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


def sign_at_the_end(environment: Environment, folder: Path) -> list[str]:
    """Sign a run that has ended, where its environment says so; never changes what came out of it.

    Args:
        environment: Where it ran.
        folder: The run's.

    Returns:
        What to tell: that it was signed, or that it was not and why; nothing when nobody asked for it.
    """
    settings = environment.signing
    if settings is None:
        return []
    try:
        done = signing.sign(folder, signer_of(settings.key), now_s=time.time(), history=settings.history)
    except Exception as error:  # noqa: BLE001 - whatever it is, the verdict stands, and the evidence shows as unsigned
        return [f"NOT SIGNED: {type(error).__name__}: {error}", f"sign it with `drillbook evidence sign {folder.name}`"]
    return [*done.remarks, f"signed: {done.path} (number {done.link.sequence} of its history)"]
