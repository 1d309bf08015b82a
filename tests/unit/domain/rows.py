"""Rows of a meter, made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.requests import Requests, Stalls

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_STALLS = Stalls.of(np.array([]), np.array([]))


def requests(*rows: tuple[float, float, float, str], versions: list[str] | None = None) -> Requests:
    """Each row is due, sent, done and outcome."""
    due, sent, done, outcome = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    texts = np.array([""] * len(rows), dtype=object)
    return Requests(
        np.array(due, dtype=float),
        np.array(sent, dtype=float),
        np.array(done, dtype=float),
        np.array(outcome, dtype=object),
        np.array(versions, dtype=object) if versions else texts,
        texts,
        texts,
    )


def regular(
    period_s: float,
    end_s: float,
    holds: Sequence[tuple[float, float]] = (),
    failing: Sequence[tuple[float, float]] = (),
    *,
    took_s: float = 0.02,
    extra: Sequence[tuple[float, float, float, str]] = (),
) -> Requests:
    """A row each `period_s`: those due in a hold are answered at its end, and those due in `failing` fail."""
    rows = list(extra)
    for number in range(int(end_s / period_s)):
        due = number * period_s
        answered = max([due, *(end for start, end in holds if start <= due < end)]) + took_s
        fails = any(start <= due < end for start, end in failing)
        rows.append((due, due, answered, "server_error" if fails else "ok"))
    return requests(*sorted(rows))


def stalls(*windows: tuple[float, float]) -> Stalls:
    return Stalls.of(np.array([start for start, _ in windows]), np.array([end for _, end in windows]))
