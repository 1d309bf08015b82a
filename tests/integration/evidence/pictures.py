"""The pictures that the documents show: what is on each, and how much of its page."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BYTES = 200 * 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """One of them.

    Attributes:
        name: File under `docs/images/`.
        page: Name of the page in `staged.PAGES`.
        first: CSS selector of the element with which it begins.
        last: And of the one with which it ends.
        shows: Words that have to be on it.
        width: Of the window, in CSS pixels.
    """

    name: str
    page: str
    first: str
    last: str
    shows: tuple[str, ...]
    width: int = 1040


PICTURES = (
    Picture(
        "report.png", "report of a night", "header", "main > section:first-child table:last-of-type",
        ("FAIL", "1 of 5 drills saw a promise broken", "Not proved in this run", "Deviations and follow-ups"),
    ),
    Picture(
        "drill.png", "report of a night", "#drill-3 .eyebrow", "#drill-3 figure",
        ("Promised and measured", "The way back in its stages", "Over the whole drill"),
    ),
    Picture(
        "traceability.png", "traceability", "header", ".attention", ("not proved: broken", "requirements proved"),
    ),
    Picture(
        "history.png", "history", "#nights", ".nights",
        ("To be looked into", "13 times in a row, and is now FAIL", "by all 14, at least 70.3 % do"),
    ),
    Picture(
        "recovery.png", "history", ".nights ~ h3", ".recovery",
        ("Recovery: how long it takes", "DR-1.5", "are no worse than 41.7 s"),
    ),
)  # fmt: skip
