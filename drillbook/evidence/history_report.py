"""Night after night: verdicts and figures over runs, what they show together, and what has to be looked into."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from drillbook.domain import streak
from drillbook.domain.verdict import WORST_FIRST
from drillbook.domain.wording import quantity
from drillbook.evidence import pages, sparkline
from drillbook.evidence.reading import replace

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.evidence.history import History, Past, Series

MOST_NIGHTS = 30
"""Runs that are shown one by one; all of them count."""


def render(page_path: Path, past: History) -> Path:
    """Write the page; answers its path."""
    page_path.parent.mkdir(parents=True, exist_ok=True)
    return replace(page_path, page(past).encode())


def page(past: History) -> str:
    """The page as HTML."""
    template = pages.templates().get_template("history.html.j2")
    return template.render(**words(past), summary=summary(past), style=pages.style("style.css", "trace.css"))


def words(past: History) -> dict[str, Any]:
    """What the part of a page about the nights needs."""
    return {
        "history": past,
        "pasts": sorted(past.pasts, key=lambda one: WORST_FIRST.index(one.drilled[-1])),
        "nights": past.runs[-MOST_NIGHTS:],
        "first_night": max(len(past.runs) - MOST_NIGHTS, 0),
        "plot": partial(sparkline.plot, runs=len(past.runs)),
        "shown": shown,
        "recovered": recovered,
        "needed": streak.needed(),
        "confidence": CONFIDENCE,
    }


def summary(past: History) -> str:
    """How it stands in one sentence."""
    if not past.runs:
        return "No run was found."
    drills = sum(len(one.drilled) for one in past.pasts)
    passed = sum(one.passed for one in past.pasts)
    told = f"{passed} of {drills} drills in {len(past.runs)} {'run' if len(past.runs) == 1 else 'runs'} passed"
    count = len(past.findings)
    if not count:
        return f"{told}; nothing has to be looked into."
    return f"{told}; {count} {'thing has' if count == 1 else 'things have'} to be looked into."


def shown(past: Past) -> str:
    """What its drills show at our confidence: those in a row, and where there were others, all of them."""
    earlier = len(past.drilled) - len(past.alike)
    before = f"; the {earlier} before were of other sentences" if earlier else ""
    everything = f"by all {len(past.alike)}, at least {_share(past.shown_by_all)} do"
    if not past.in_a_row:
        return f"the last one did not pass; {everything}{before}"
    row = f"at least {_share(past.shown_share)} of such drills pass"
    if past.in_a_row == len(past.alike):
        return f"{row}{before}"
    return f"{row} if what failed before is mended; {everything}{before}"


def recovered(series: Series) -> str:
    """What a streak of a recovery shows, likewise."""
    if not series.in_a_row or series.worst is None:
        return "the last one was not seen to keep it: nothing is shown"
    worst = quantity(series.worst, series.objective.unit)
    share = _share(streak.shown_share(series.in_a_row))
    missing = max(streak.needed() - series.in_a_row, 0)
    more = f"; {missing} more in a row for {_share(streak.SHARE)}" if missing else ""
    return f"at least {share} of recoveries are no worse than {worst}{more}"


def _share(value: float) -> str:
    """Rounded down: what is shown is never more."""
    return f"{math.floor(value * 1000 + 1e-9) / 10:g} %"


CONFIDENCE = _share(streak.CONFIDENCE)
"""Of every statement here, as it is shown."""
