"""From drills to production size: what a recovery from backup would take for a database that no drill can hold.

RTO = detect + decide + provision + max(network, cpu, disk, restore) + replay + promote + reroute + verify

The parts of the restore run at once, so that the slowest counts: `network` is the repository's bytes through the
network, `cpu` the data's through decryption and decompression, `disk` the data's onto the disk, each measured alone;
`restore` is the whole as its tool did it, since none overlaps them perfectly: their maximum alone would be too little.
Every term is a cost line (`cost_line`) fitted to drills at four sizes or more; those that have nothing to do with the
size may be told by other drills, of any size. The bounds of all terms hold together with the stated
confidence, by sharing what may go wrong among them (Boole's inequality, after Bonferroni), however they depend on each
other. Beyond ten times the largest drill nothing is proved.

It is an estimate, to stand beside a measured recovery time and never in its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from drillbook.domain import byte_size, cost_line
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drillbook.domain.cost_line import Line

CONFIDENCE = 0.95
FEWEST_SIZES = 4
PROVEN_FACTOR = 10.0
"""Times the largest drill."""

RESTORE = ("network", "cpu", "disk", "restore")
TERMS = ("detect", "decide", "provision", *RESTORE, "replay", "promote", "reroute", "verify")
_OF_DATABASE, _OF_REPOSITORY, _OF_WAL = "database", "repository", "WAL"
_DRIVER = dict.fromkeys(TERMS, _OF_DATABASE) | {"network": _OF_REPOSITORY, "replay": _OF_WAL}
"""Whose bytes a term grows with."""
_MUST_GROW = (*RESTORE, "replay")
SIZELESS = ("detect", "decide", "reroute")
"""Terms that other drills may tell."""

# Sizes within this factor of each other are one size: a database grows a little from drill to drill.
_SAME = 1.1
# From one size to the next at least this factor, and none so much larger than another.
_STEP = 1.5
_EVEN = 1.6
# So much of a drill's time may be in no term.
_LEFT_OUT = 0.05
# Of a bound that is met exactly.
_ROUNDING = 1e-9
# Of the whole: by less than this a term may be over its bound, since timing a few milliseconds is no straight line.
_IMMATERIAL = 0.01


class Refused(ValueError):
    """These drills carry no such estimate; the text says why and what would."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One recovery from backup, measured.

    Attributes:
        data_bytes: Of the database.
        repository_bytes: That were read from the repository.
        wal_bytes: That were replayed.
        took: Seconds of each of `TERMS`.
        total: Seconds from the fault to sustained good service.
    """

    data_bytes: float
    repository_bytes: float
    wal_bytes: float
    took: Mapping[str, Interval]
    total: Interval


@dataclass(frozen=True, slots=True)
class Production:
    """What is known of the database in production.

    Attributes:
        wal_bytes_per_s: That it writes at most, on average over the time between two backups.
        backup_every_s: From the start of a backup that recovery can begin with to that of the next.
        backup_bytes_per_s: Data that a backup gets through at least: until one ends, only the one before it is there.
    """

    wal_bytes_per_s: float
    backup_every_s: float
    backup_bytes_per_s: float

    def worst_wal_bytes(self, data_bytes: float) -> float:
        """To be replayed when the disaster strikes just before the next backup is complete."""
        return self.wal_bytes_per_s * (self.backup_every_s + data_bytes / self.backup_bytes_per_s)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an estimate.

    Attributes:
        name: One of `TERMS`.
        size: Bytes that it was estimated for.
        expected_s: The line's value.
        bounds: In seconds, each with the term's share of the confidence.
    """

    name: str
    size: float
    expected_s: float
    bounds: Interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a recovery would take.

    Attributes:
        data_bytes: Of the database.
        expected_s: On average.
        bounds: The next recovery takes at most, and at least, so long, each with the stated confidence.
        terms: In the order of `TERMS`.
        unproven: Reasons for which it is not proved; none within ten times the drills.
    """

    data_bytes: float
    expected_s: float
    bounds: Interval
    terms: tuple[Term, ...]
    unproven: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """What the drills tell.

    Attributes:
        lines: The cost line of each term: of the upper ends of what was measured.
        floors: Likewise of the lower ends.
        largest: Bytes of the largest drill, by whose they are.
        smallest_data_bytes: Of the smallest drill.
        repository_share: Bytes in the repository for a byte of data: the least and the most in any drill.
        drills: How many.
        apart: Terms that other drills told, and how many of them.
        confidence: Of each bound of an estimate.
    """

    lines: Mapping[str, Line]
    floors: Mapping[str, Line]
    largest: Mapping[str, float]
    smallest_data_bytes: float
    repository_share: Interval
    drills: int
    apart: Mapping[str, int]
    confidence: float

    def estimate(self, data_bytes: float, production: Production) -> Estimate:
        """For one size of the database, with the most WAL that there may be.

        Raises:
            Refused: When it is smaller than every drill's.
        """
        return self.estimate_of(data_bytes, production.worst_wal_bytes(data_bytes))

    def estimate_of(self, data_bytes: float, wal_bytes: float) -> Estimate:
        """For one size of the database and of the WAL that is to be replayed.

        Raises:
            Refused: When the database is smaller than every drill's.
        """
        if not self.smallest_data_bytes <= data_bytes < math.inf:
            raise Refused(f"{data_bytes:g} bytes are fewer than the smallest drill's {self.smallest_data_bytes:g}")
        sizes = {
            _OF_DATABASE: data_bytes,
            _OF_REPOSITORY: data_bytes * self.repository_share.high,
            _OF_WAL: wal_bytes,
        }
        least = {**sizes, _OF_REPOSITORY: data_bytes * self.repository_share.low}
        terms = {name: self._term(name, least[whose], sizes[whose]) for name, whose in _DRIVER.items()}
        low = _total({name: term.bounds.low for name, term in terms.items()})
        high = _total({name: term.bounds.high for name, term in terms.items()})
        unproven = [
            f"{byte_size.told(sizes[whose])} of {whose} are {sizes[whose] / largest:.3g} times the largest drill's, "
            f"and nothing is proved beyond {PROVEN_FACTOR:g} times"
            for whose, largest in self.largest.items()
            if sizes[whose] > PROVEN_FACTOR * largest * (1 + _ROUNDING)
        ]
        expected_s = _total({name: term.expected_s for name, term in terms.items()})
        return Estimate(data_bytes, expected_s, Interval(low, high), tuple(terms.values()), tuple(unproven))

    def assumptions(self, production: Production) -> tuple[str, ...]:
        """Everything that an estimate rests on, in sentences."""
        sure = _share_of(self.confidence)
        return (
            f"{self.drills} drills, each independent of the others, on machines, disks and a network like production's",
            "each term is a straight line of its bytes, with relative errors of one spread",
            (
                f"all upper bounds hold together at {self.confidence:.0%} confidence: each of the {len(TERMS)} terms' "
                f"with {sure:.2%}"
            ),
            "network, cpu and disk work at once as they did in the drills, so the restore takes as long as the slowest",
            *(
                f"{name} has nothing to do with the size: it is told by {count} other drills"
                for name, count in self.apart.items()
            ),
            f"the repository has at most {self.repository_share.high:.3g} bytes for a byte of data, as in the drills",
            (
                f"the database writes at most {byte_size.told(production.wal_bytes_per_s)} of WAL a second, "
                "whatever its size"
            ),
            (
                f"the disaster strikes just before the next backup is complete: {production.backup_every_s:g} s after "
                f"the last one began, and as long as a backup takes at "
                f"{byte_size.told(production.backup_bytes_per_s)} a second"
            ),
            "replaying includes fetching the WAL, and its cost for a byte is that of the drills' load",
            f"nothing is proved beyond {PROVEN_FACTOR:g} times the largest drill",
        )

    def _term(self, name: str, least: float, size: float) -> Term:
        sure = _share_of(self.confidence)
        low, high = self.floors[name].at_least_s(least, sure), self.lines[name].at_most_s(size, sure)
        return Term(name, size, self.lines[name].expected_s(size), Interval(min(low, high), high))


def model(
    drills: Sequence[Drill], confidence: float = CONFIDENCE, apart: Mapping[str, Sequence[Interval]] | None = None
) -> Model:
    """Fit every term.

    Args:
        drills: Recoveries from backup at several sizes.
        confidence: Of each bound of an estimate.
        apart: What terms of `SIZELESS` took in other drills, in the place of what they took in these: seconds.

    Raises:
        Refused: When the drills do not carry it.
    """
    others = apart or {}
    _check_whole(drills)
    _check_apart(others)
    sizes = {
        _OF_DATABASE: [drill.data_bytes for drill in drills],
        _OF_REPOSITORY: [drill.repository_bytes for drill in drills],
        _OF_WAL: [drill.wal_bytes for drill in drills],
    }
    for whose, of in sizes.items():
        _check_sizes(whose, of)
    lines: dict[str, Line] = {}
    floors: dict[str, Line] = {}
    for name in TERMS:
        if name in others:
            lines[name] = cost_line.constant([took.high for took in others[name]])
            floors[name] = cost_line.constant([took.low for took in others[name]])
            continue
        of = sizes[_DRIVER[name]]
        at_most_s = [drill.took[name].high for drill in drills]
        lines[name] = cost_line.fit(of, at_most_s)
        floors[name] = cost_line.fit(of, [drill.took[name].low for drill in drills])
        totals = [_total({term: drill.took[term].high for term in TERMS}) for drill in drills]
        _check_term(name, of, at_most_s, totals, confidence)
    shares = [drill.repository_bytes / drill.data_bytes for drill in drills]
    return Model(
        lines=lines,
        floors=floors,
        largest={whose: max(of) for whose, of in sizes.items()},
        smallest_data_bytes=min(sizes[_OF_DATABASE]),
        repository_share=Interval(min(shares), max(shares)),
        drills=len(drills),
        apart={name: len(took) for name, took in others.items()},
        confidence=confidence,
    )


def estimate_measured(found: Model, estimate: Estimate, window: Window, evidence: Sequence[str] = ()) -> Measurement:
    """The estimated recovery time in seconds, to be judged beside a measured one; undecided where it is unproven."""
    name = f"estimated time to recover {byte_size.told(estimate.data_bytes)}"
    doubts = tuple(f"unproven: {reason}" for reason in estimate.unproven)
    return Measurement(name, estimate.bounds, "s", found.drills, window, "size model", doubts, tuple(evidence))


def error(estimate: Estimate, measured: Interval) -> Interval:
    """How far the estimate was above what was then measured, as a ratio of that; negative when it was below."""
    if measured.low <= 0:
        raise Refused("an error is a share of the measured time, and none was measured")
    return Interval(estimate.expected_s / measured.high - 1, estimate.expected_s / measured.low - 1)


def _total(terms: Mapping[str, float]) -> float:
    return sum(terms[name] for name in TERMS if name not in RESTORE) + max(terms[name] for name in RESTORE)


def _share_of(confidence: float) -> float:
    """Each term's confidence, so that all hold together."""
    return 1 - (1 - confidence) / len(TERMS)


def _check_whole(drills: Sequence[Drill]) -> None:
    for number, drill in enumerate(drills, 1):
        for name in TERMS:
            took = drill.took.get(name)
            if took is None or not 0 <= took.low <= took.high < math.inf:
                raise Refused(f"drill {number} does not say what {name} took, which every drill has to: {took}")
        terms_s = _total({name: drill.took[name].high for name in TERMS})
        if drill.total.low > terms_s * (1 + _LEFT_OUT):
            raise Refused(
                f"drill {number} took {drill.total.low:.1f} s and its terms add up to {terms_s:.1f} s: what took the "
                "rest would be missing from an estimate; measure it as part of a term"
            )


def _levels(sizes: Iterable[float]) -> list[list[float]]:
    """Sizes in groups of nearly the same."""
    levels: list[list[float]] = []
    for size in sorted(sizes):
        if levels and size <= levels[-1][0] * _SAME:
            levels[-1].append(size)
        else:
            levels.append([size])
    return levels


def _check_sizes(whose: str, sizes: Sequence[float]) -> None:
    if not all(0 < size < math.inf for size in sizes):
        raise Refused(f"every drill needs a positive number of bytes of {whose}, and got {sorted(sizes)}")
    levels = [level[0] for level in _levels(sizes)]
    told = ", ".join(byte_size.told(size) for size in levels)
    if len(levels) < FEWEST_SIZES:
        raise Refused(f"an estimate needs drills at {FEWEST_SIZES} sizes of the {whose}, and got {len(levels)}: {told}")
    steps = [after / before for before, after in pairwise(levels)]
    if min(steps) < _STEP or max(steps) > _EVEN * min(steps):
        raise Refused(
            f"the sizes of the {whose} have to be spaced geometrically (each the same multiple of the one before, at "
            f"least {_STEP:g}), and are {told}"
        )


def _check_apart(apart: Mapping[str, Sequence[Interval]]) -> None:
    for name, took in apart.items():
        if name not in SIZELESS:
            raise Refused(f"other drills may tell {', '.join(SIZELESS)}, and {name} has to be measured with the sizes")
        if len(took) < cost_line.FEWEST:
            raise Refused(
                f"{name} is told by {len(took)} other drills, and its spread needs {cost_line.FEWEST}: drill again"
            )
        if not all(0 <= it.low <= it.high < math.inf for it in took):
            raise Refused(f"a drill does not say how long {name} took at most, so it bounds nothing")


def _check_term(
    name: str, sizes: Sequence[float], seconds: Sequence[float], totals: Sequence[float], confidence: float
) -> None:
    line = cost_line.fit(sizes, seconds)
    largest_from = _levels(sizes)[-1][0]
    drills = list(zip(sizes, seconds, totals, strict=True))
    # What may go wrong is shared among all looks of all terms, so that honest drills are rarely refused.
    looks = 1 + sum(size >= largest_from for size in sizes)
    sure = 1 - (1 - confidence) / (len(TERMS) * looks)
    if line.slope_is_negative(sure):
        raise Refused(
            f"{name} took less time for more bytes, which no cost for each byte explains: what else differed?"
        )
    if name in _MUST_GROW and line.free_per_byte_s <= 0:
        raise Refused(f"{name} took no longer for more bytes: these drills are too small to tell what a byte costs")
    smaller = [(size, took_s) for size, took_s, _ in drills if size < largest_from]
    from_smaller = cost_line.fit([size for size, _ in smaller], [took_s for _, took_s in smaller])
    for size, took_s, total_s in drills:
        bound_s = from_smaller.at_most_s(size, sure)
        if size >= largest_from and took_s > bound_s * (1 + _ROUNDING) + _IMMATERIAL * total_s:
            raise Refused(
                f"{name} took {took_s:.3g} s at the largest size, where the smaller ones bound it by {bound_s:.3g} s: "
                "it grows faster than a straight line, and cannot be extended by one"
            )
