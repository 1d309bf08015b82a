"""The part of an environment file that says what faults may hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.environment import FaultSettings, PodsPart

if TYPE_CHECKING:
    from collections.abc import Mapping


def settings(section: Mapping[str, Any]) -> FaultSettings:
    """The section `faults`, as the schema lets it through."""
    parts = {name: PodsPart(**section[name]) for name in ("gateway",) if name in section}
    return FaultSettings(tuple(section.get("nodes", ())), tuple(section.get("evict", ())), **parts)
