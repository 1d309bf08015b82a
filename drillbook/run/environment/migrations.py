"""Reads the section `migrations` of an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.migration.settings import APPLICATION, Migrations, ProofSettings, Table
from drillbook.run.environment.durations import seconds
from drillbook.run.environment.paths import beside, credential

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def settings(file: Path, section: Mapping[str, Any]) -> Migrations:
    """What the section says, as the schema lets it through."""
    proof = section.get("proof")
    return Migrations(beside(file, section["scripts"]), _proof(file, proof) if proof else None)


def _proof(file: Path, section: Mapping[str, Any]) -> ProofSettings:
    table = dict(section["table"])
    return ProofSettings(
        address=section["address"],
        password=credential(file, section.get("password", "")),
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
