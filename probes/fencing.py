"""Whether the lost primary took a write when there was a new one: what the fencing ledger says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drillbook.domain.fencing import Attempt, after_promotion, taken_measured
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drillbook.domain.interval import Interval

GAP_S = 1.0
"""A longer stretch in which nobody tried to write is one in which a split brain could hide: ten tries at its rate."""

UNREACHED_S = 30.0
"""For so long nobody may answer where a server ends or starts: its address still leads to the one that was there."""

_NOBODY = ("no answer within", "No route to host", "Network is unreachable", "timeout expired", "timed out")
"""How tries end that nobody answered."""


def attempts(drill_dir: Path) -> list[Attempt]:
    """Every try, in the order of their ends; a last line that was cut off when the ledger was killed is no try."""
    path = drill_dir / "fencing" / "attempts.jsonl"
    text = path.read_bytes() if path.is_file() else b""
    lines = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return [
        Attempt(float(line["sent_s"]), float(line["done_s"]), line["answer"], reached=_reached(line)) for line in lines
    ]


def writes_after_promotion(
    drill_dir: Path, happened: Interval, promotion: Interval, until_s: float, *, from_outside: bool = False
) -> Measurement:
    """Number of writes that the lost primary took after another one was promoted.

    Args:
        drill_dir: The drill's folder.
        happened: The loss, in seconds since the epoch.
        promotion: When the new primary began to take writes, likewise.
        until_s: Until when the lost one had to stay fenced, likewise.
        from_outside: Whether only writes from outside its region are judged, which is where the ledger tries from.
    """
    tries = attempts(drill_dir)
    found = after_promotion(tries, promotion, until_s)
    window = Window(promotion.low, max(promotion.low, until_s))
    evidence = (f"drills/{drill_dir.name}/fencing/attempts.jsonl",)
    unreached_s = math.inf if from_outside else UNREACHED_S
    measured = taken_measured(found, window, gap_s=GAP_S, unreached_s=unreached_s, evidence=evidence)
    taken = any(attempt.answer == "acknowledged" and attempt.done_s < happened.low for attempt in tries)
    if taken or found.taken.low:
        return measured
    doubt = "the fencing ledger had no write taken before the loss, so that it was refused afterwards tells nothing"
    return replace(measured, doubts=(*measured.doubts, doubt))


def _reached(line: Mapping[str, Any]) -> bool:
    """Whether anybody answered; what is not refused was sent on a connection, which somebody had accepted."""
    return line["answer"] != "refused" or not any(words in line.get("told", "") for words in _NOBODY)
