"""Reads the section `migrations` of an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.migration.settings import APPLICATION, Migrations, ProofSettings, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def settings(section: Mapping[str, Any], seconds: Callable[[str], float], beside: Path) -> Migrations:
    """What the section says.

    Args:
        section: As the schema lets it through.
        seconds: Reads a duration.
        beside: Folder that its paths are relative to.
    """
    proof = section.get("proof")
    return Migrations((beside / section["scripts"]).resolve(), _proof(proof, seconds, beside) if proof else None)


def _proof(section: Mapping[str, Any], seconds: Callable[[str], float], beside: Path) -> ProofSettings:
    table = dict(section["table"])
    kind, _, place = str(section.get("password", "")).partition(":")
    return ProofSettings(
        address=section["address"],
        password=f"file:{(beside / place).resolve()}" if kind == "file" else section.get("password", ""),
        command=tuple(section["command"]),
        settings=dict(section["settings"]),
        table=Table(columns=tuple(table.pop("columns")), **table),
        before=section["before"],
        after=section["after"],
        older=section["older"],
        newer=section["newer"],
        application=section.get("application", APPLICATION),
        progress=section.get("progress", ""),
        every_s=seconds(section.get("look_every", "50 ms")),
        rate_hz=float(section.get("rate", 10)),
        deadline_s=seconds(section.get("deadline", "2 min")),
    )
