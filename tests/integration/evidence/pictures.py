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
)  # fmt: skip
