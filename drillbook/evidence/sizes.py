"""What restores at several sizes took, kept as a file, and the stages that drills of losses recorded beside them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.interval import Interval
from drillbook.domain.scaling import TERMS, Drill
from drillbook.evidence.reading import mapping_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from drillbook.evidence.record import RunRecord

_TERM_OF = {
    "detect": "detect", "decide": "decide", "fence": "decide", "repoint": "reroute", "dns": "reroute",
    "warm-up": "reroute",
}  # fmt: skip
"""Stages of a failover, and the term that they are part of; what a standby's promotion takes tells nothing here."""
_NONE = Interval(0.0, 0.0)


class NotMeasured(ValueError):
    """The file does not say what restores took; the text says what is wrong with it."""


def document(drills: Iterable[Drill]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(drill) for drill in drills]


def read(path: Path) -> tuple[Drill, ...]:
    """The drills of a file that has them under `drills`.

    Raises:
        NotMeasured: When it has none, or one that is not whole.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotMeasured(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise NotMeasured(f"{path} is no JSON: {error}") from error
    drills = mapping_of(found).get("drills")
    if not isinstance(drills, list) or not drills:
        raise NotMeasured(
            f"{path} has no list of drills: make it with `python -m benchmarks.restore_sizes --json FILE`"
        )
    entries = cast("list[Any]", drills)
    return tuple(_drill(mapping_of(entry), f"{path}, drill {number}") for number, entry in enumerate(entries, 1))


def stages(runs: Iterable[RunRecord]) -> Mapping[str, Sequence[Interval]]:
    """Terms that drills of losses tell, in seconds: of each drill the worse of new and reused connections.

    A stage whose ends are not known is left out with its term.
    """
    found: dict[str, list[Interval]] = {}
    for run in runs:
        for drill in run.drills:
            told = [mapping_of(event.data.get("stages")) for event in drill.events if event.activity == "stages"]
            for term, took in _worst([_terms(each) for each in told if each]).items():
                found.setdefault(term, []).append(took)
    return found


def _terms(told: Mapping[str, Any]) -> Mapping[str, Interval]:
    """Of one kind of connection; stages that are told together belong to one term, or to none."""
    parts: dict[str, Interval] = {}
    blurred: set[str] = set()
    for name, bounds in told.items():
        terms = {_TERM_OF.get(stage, "") for stage in name.split(" + ")}
        took = _interval(bounds)
        if len(terms) == 1 and took is not None:
            (term,) = terms
            so_far = parts.get(term, _NONE)
            parts[term] = Interval(so_far.low + took.low, so_far.high + took.high)
        else:
            blurred |= terms
    return {term: took for term, took in parts.items() if term and term not in blurred}


def _worst(kinds: Sequence[Mapping[str, Interval]]) -> Mapping[str, Interval]:
    """Only terms that every kind tells."""
    shared = set(kinds[0]).intersection(*kinds[1:]) if kinds else set[str]()
    return {
        term: Interval(max(kind[term].low for kind in kinds), max(kind[term].high for kind in kinds)) for term in shared
    }


def _drill(entry: Mapping[str, Any], where: str) -> Drill:
    took = mapping_of(entry.get("took"))
    intervals = {name: _bounds(took.get(name), f"what {name} took", where) for name in TERMS}
    sizes = {name: _size(entry.get(name), name, where) for name in ("data_bytes", "repository_bytes", "wal_bytes")}
    return Drill(**sizes, took=intervals, total=_bounds(entry.get("total"), "what it took", where))


def _size(value: Any, name: str, where: str) -> float:
    found = number_of(value)
    if found is None or not 0 < found < math.inf:
        raise NotMeasured(f"{where}: {name} is a positive number of bytes, and is {str(value)[:40]!r}")
    return found


def _bounds(value: Any, what: str, where: str) -> Interval:
    found = mapping_of(value)
    interval = _interval([found.get("low"), found.get("high")])
    if interval is None:
        raise NotMeasured(f"{where}: {what} is low and high in seconds, and is {str(value)[:60]!r}")
    return interval


def _interval(bounds: Any) -> Interval | None:
    if not isinstance(bounds, list):
        return None
    numbers = [number_of(bound) for bound in cast("list[Any]", bounds)]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:  # noqa: PLR2004 - low and high
        return None
    low, high = numbers[0], numbers[1]
    return Interval(low, high) if 0 <= low <= high < math.inf else None
