"""What looks at the locks say of waits, and what they cannot say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.migration import locks
from drillbook.domain.migration.locks import Held, Look, Wait, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 0.1


def look(at_s: float, *waits: Wait, held: tuple[Held, ...] = (), progress: int | None = None) -> Look:
    return Look(at_s, at_s + 0.01, waits, held, progress)


def waiting(since_s: float, at_s: float, *, pid: int = 7, application: str = "service", behind=("migrate",)) -> Wait:
    return Wait(pid, str(since_s), application, at_s - since_s, "RowExclusiveLock", "events", tuple(behind))


def looks_at(began_s: float, ended_s: float, *, until_s: float = 2.0) -> list[Look]:
    """A server where one request waits from a moment to another, looked at ten times a second."""
    times = [number * EVERY_S for number in range(int(until_s / EVERY_S) + 1)]
    return [look(at_s, *([waiting(began_s, at_s)] if began_s <= at_s < ended_s else [])) for at_s in times]


def bounds(measured) -> tuple[float, float]:
    assert measured.interval is not None, measured.doubts
    return measured.interval.low, measured.interval.high


def longest(looks: list[Look], window: Window = Window(0.0, 2.0)) -> locks.Measurement:  # noqa: B008 - frozen
    return locks.longest_wait(Watched(looks, window, EVERY_S), lambda _: True, "waits")


@given(began=st.floats(0.0, 1.0), lasted=st.floats(0.0, 0.9))
def test_the_true_wait_lies_in_the_interval(began: float, lasted: float) -> None:
    found = longest(looks_at(began, began + lasted)).interval
    assert found is not None
    assert found.low <= lasted + 1e-9
    assert lasted <= found.high + 1e-9
    assert found.high - found.low <= 2 * EVERY_S + 0.03


def test_no_wait_is_known_more_precisely_than_the_looks_are_apart() -> None:
    found = longest(looks_at(9.0, 9.0)).interval
    assert found is not None
    assert found.low == 0.0
    assert found.high == pytest.approx(0.11)


def test_a_wait_that_is_still_on_has_no_end() -> None:
    found = longest(looks_at(0.5, 99.0)).interval
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(1.5), float("inf"))


@pytest.mark.parametrize(
    ("looks", "doubt"),
    [
        ([], "nobody looked"),
        ([look(0.0), look(1.0), look(2.0)], "for 0.99 s"),
        ([look(1.0), look(1.1)], "for 1.00 s"),
    ],
)
def test_where_nobody_looked_nothing_is_known(looks: list[Look], doubt: str) -> None:
    found = longest(looks)
    assert found.interval is None
    assert doubt in found.doubts[0]


def test_those_behind_the_migration_are_counted_each_once() -> None:
    looks = looks_at(0.5, 1.0)
    looks[8] = look(0.8, *looks[8].waits, waiting(0.75, 0.8, pid=8), waiting(0.0, 0.8, pid=9, behind=("somebody",)),
                    waiting(0.0, 0.8, pid=10, application="migrate"))  # fmt: skip
    found = locks.blocked(Watched(looks, Window(0.0, 2.0), EVERY_S), "migrate", 0.3, "blocked")
    assert found.interval == Interval.exactly(1)
    found = locks.blocked(Watched(looks, Window(0.0, 2.0), EVERY_S), "migrate", 0.12, "blocked")
    assert found.interval == Interval(1, 2)
    found = locks.blocked(Watched(looks, Window(0.0, 2.0), EVERY_S), "migrate", 0.05, "blocked")
    assert "went unseen" in found.doubts[0]


def test_how_long_the_strongest_lock_was_held() -> None:
    held = (Held(7, "migrate", "events", "3/21"),)
    other = (Held(8, "somebody", "events", "4/5"),)
    looks = [look(n / 10, held=held if 5 <= n < 15 else other) for n in range(21)]
    found = locks.longest_exclusive(Watched(looks, Window(0.0, 2.0), EVERY_S), "migrate", "held")
    assert bounds(found) == (pytest.approx(0.89), pytest.approx(1.11))
    found = locks.longest_exclusive(Watched(looks, Window(0.0, 1.2), EVERY_S), "migrate", "held")
    assert bounds(found) == (pytest.approx(0.69), pytest.approx(0.8))


def often_held(transaction: Callable[[int], str]) -> tuple[float, float]:
    """Bounds of what thirty looks in a row say that each see the lock, taken by these transactions."""
    looks = [
        Look(n / 20, n / 20 + 0.002, held=(Held(7, "migrate", "events", transaction(n)),) if 5 <= n < 35 else ())
        for n in range(41)
    ]
    return bounds(locks.longest_exclusive(Watched(looks, Window(0.0, 2.0), 0.05), "migrate", "held"))


def test_many_short_locks_are_not_taken_for_a_long_one() -> None:
    assert often_held(lambda n: f"3/{n}") == (0.0, pytest.approx(0.102))
    assert often_held(lambda _: "3/1") == (pytest.approx(1.448), pytest.approx(1.552))


def test_locks_whose_transaction_was_not_kept_may_be_one_or_many() -> None:
    assert often_held(lambda _: "") == (0.0, pytest.approx(1.552))


@pytest.mark.parametrize(("progress", "again"), [([0, 5, 9, 9, 12], 0), ([0, 5, 9, 0, 5], 9), ([3, 1, 2, 0], 4)])
def test_progress_that_falls_is_work_done_again(progress: list[int], again: int) -> None:
    looks = [look(n / 10, progress=count) for n, count in enumerate(progress)]
    watched = Watched(looks, Window(0.0, 0.5), EVERY_S)
    assert locks.gone_over_again(watched, 0).interval == Interval.exactly(again)
    assert locks.gone_over_again(watched, 3).interval == Interval(again, again + 3)


def test_without_a_backfill_nothing_is_known_of_one() -> None:
    assert locks.gone_over_again(Watched(looks_at(0.0, 1.0), Window(0.0, 2.0), EVERY_S), 0).interval is None


def test_a_look_can_be_kept() -> None:
    one = look(1.0, waiting(0.5, 1.0), held=(Held(7, "migrate", "events", "3/21"),), progress=3)
    assert Look.from_document(json.loads(json.dumps(one.document()))) == one


def test_a_look_of_an_older_folder_can_be_read() -> None:
    document = look(1.0, held=(Held(7, "migrate", "events", "3/21"),)).document()
    for held in document["held"]:
        del held["transaction"]
    assert Look.from_document(document).held == (Held(7, "migrate", "events"),)
