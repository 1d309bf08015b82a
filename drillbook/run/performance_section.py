"""Reads the section `performance` of an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.performance import Performance, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def settings(section: Mapping[str, Any], seconds: Callable[[str], float]) -> Performance:
    """What the section says.

    Args:
        section: As the schema lets it through.
        seconds: Reads a duration.
    """
    return Performance(
        most_hz=float(section["most"]),
        longest_s=seconds(section.get("longest", "15 min")),
        step_s=seconds(section.get("step", "15 s")),
        settle_s=seconds(section.get("settle", "3 s")),
        workers=_workers(section["workers"], seconds) if "workers" in section else None,
    )


def _workers(section: Mapping[str, Any], seconds: Callable[[str], float]) -> WorkerSettings:
    return WorkerSettings(section["namespace"], section["image"], seconds(section.get("start_within", "45 s")))
