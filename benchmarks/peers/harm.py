"""What a release did to its users, from the rows of the requests alone: the same for every tool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as parquet_of_arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

pq: Any = parquet_of_arrow  # it has no type stubs


@dataclass(frozen=True, slots=True)
class Harm:
    """Of one trial.

    Attributes:
        requests: All that were due.
        bad: Those that were not answered well, by whomever: refused, failed, wrong, unanswered or unsent.
        answered: Answers of the release on trial.
        seconds: From its first bad answer to its last answer; NaN when it had none, or none bad.
    """

    requests: int
    bad: int
    answered: int
    seconds: float


def harm(rows: Iterable[Mapping[str, Any]], version: str) -> Harm:
    """Judge one trial.

    Args:
        rows: Of `requests.parquet`: `done_s`, `outcome`, `version`.
        version: Of the release on trial.
    """
    requests = bad = answered = 0
    first_s, last_s = math.inf, -math.inf
    for row in rows:
        requests += 1
        bad += row["outcome"] != "ok"
        if row["version"] != version:
            continue
        answered += 1
        last_s = max(last_s, row["done_s"])
        if row["outcome"] != "ok":
            first_s = min(first_s, row["done_s"])
    return Harm(requests, bad, answered, last_s - first_s if math.isfinite(first_s) else math.nan)


def of_folder(load: Path, version: str) -> Harm:
    """Judge what a load left behind.

    Raises:
        FileNotFoundError: When it did not end in good order.
    """
    table = pq.read_table(load / "requests.parquet", columns=["done_s", "outcome", "version"])
    return harm(table.to_pylist(), version)
