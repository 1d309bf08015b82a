"""Rows of a meter, made up."""

from __future__ import annotations

import numpy as np

from drillbook.domain.requests import Requests, Stalls

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


def stalls(*windows: tuple[float, float]) -> Stalls:
    return Stalls.of(np.array([start for start, _ in windows]), np.array([end for _, end in windows]))
