"""How canaries go, out of an environment file's `strategy.canary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.canary import Margins, Plan
from drillbook.run.environment.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping


def plan(section: Mapping[str, Any]) -> Plan:
    """The plan of a section that fits the schema.

    Raises:
        ValueError: When nothing could be decided by it.
    """
    fields = dict(section)
    if "steps" in fields:
        fields["steps"] = tuple(int(weight) for weight in fields["steps"])
    if "hold" in fields:
        fields["hold_s"] = seconds(fields.pop("hold"))
    margins = dict(fields.pop("margins", {}))
    if "at_least" in margins:
        margins["latency_s"] = seconds(margins.pop("at_least"))
    return Plan(**fields, margins=Margins(**margins))
