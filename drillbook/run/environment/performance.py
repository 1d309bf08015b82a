"""Reads the section `performance` of an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.performance import Performance, WorkerSettings
from drillbook.run.environment.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping


def settings(section: Mapping[str, Any]) -> Performance:
    """What the section says, as the schema lets it through."""
    return Performance(
        most_hz=float(section["most"]),
        longest_s=seconds(section.get("longest", "15 min")),
        step_s=seconds(section.get("step", "15 s")),
        settle_s=seconds(section.get("settle", "3 s")),
        workers=_workers(section["workers"]) if "workers" in section else None,
    )


def _workers(section: Mapping[str, Any]) -> WorkerSettings:
    return WorkerSettings(section["namespace"], section["image"], seconds(section.get("start_within", "45 s")))
