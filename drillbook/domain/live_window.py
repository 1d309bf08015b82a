"""A line of the load's running record, `live.jsonl`: what happened in a quarter of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def lost(line: Mapping[str, Any]) -> int:
    """Requests that got no answer; those among them that went unsent waited for answers that did not come.

    What was overslept is the meter's own doing, and not in it.
    """
    return sum(line["unanswered"].values()) + int(line["unsent"])


def doubtful(line: Mapping[str, Any]) -> int:
    """How many of the lost may be the load's own doing; records of before did not tell, and then none is."""
    return min(lost(line), int(line.get("doubtful", 0)))
