"""What the table itself says of a back-fill that was killed and started again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.migration import backfill
from drillbook.domain.migration.backfill import Done, Filling, Looks
from drillbook.domain.verdict import Objective, Verdict, judge

WINDOW = Window(0.0, 100.0)
ROWS = 200_000
GOOD = Looks(
    Filling(ROWS, 0, 0, "1:1:"), Filling(ROWS, 20_000, 20_000, "9:9:"), Filling(ROWS, ROWS, 20_000, "99:99:"),
    settled=True,
)  # fmt: skip
DONE = Done(50.0, ROWS + 30_000, ROWS + 30_100)


def verdict(measured) -> Verdict:
    return judge(Objective("o", "s", "at_most", 0, measured.unit), measured).verdict


def left(looks: Looks, done: Done | None = DONE):
    return backfill.rows_left(ROWS, looks, done, WINDOW)


def again(looks: Looks):
    return backfill.filled_again(looks, WINDOW)


def after(filled: int, kept: int, rows: int = ROWS) -> Looks:
    return replace(GOOD, done=Filling(rows, filled, kept, "99:99:"))


def test_a_backfill_that_goes_on_leaves_nothing_out_and_does_nothing_again() -> None:
    assert left(GOOD).interval == again(GOOD).interval == Interval.exactly(0)
    assert verdict(left(GOOD)) is verdict(again(GOOD)) is Verdict.PASS


def test_rows_that_are_left_out_are_seen_though_others_were_gone_over_instead() -> None:
    skipped = left(after(ROWS - 5_000, 20_000), replace(DONE, gone_over=ROWS + 25_000))
    assert skipped.interval == Interval.exactly(5_000)
    assert verdict(skipped) is Verdict.FAIL
    assert left(after(ROWS - 5_000, 20_000, ROWS - 100)).interval == Interval.exactly(5_000)


def test_rows_that_are_filled_again_are_seen_though_no_account_of_it_is_kept() -> None:
    found = again(after(ROWS, 15_000))
    assert found.interval == Interval.exactly(5_000)
    assert verdict(found) is Verdict.FAIL


def test_of_rows_that_were_filled_before_nobody_knows_whether_they_would_have_been() -> None:
    looks = replace(GOOD, before=Filling(ROWS, ROWS, ROWS, "1:1:"))
    assert left(looks).interval == Interval(0, ROWS)
    assert verdict(left(looks)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("looks", "doubt"),
    [
        (replace(GOOD, killed=None), "was not asked"),
        (replace(GOOD, done=None), "was not asked"),
        (replace(GOOD, settled=False), "was not over"),
        (replace(GOOD, killed=Filling(ROWS, 0, 0, "9:9:"), done=Filling(ROWS, ROWS, 0, "99:99:")), "0 of 200000 rows"),
        (replace(GOOD, killed=Filling(ROWS, ROWS, ROWS, "9:9:")), "200000 of 200000 rows"),
        (after(ROWS, 20_001), "20001 rows are as they were"),
    ],
)
def test_what_the_looks_do_not_tell_is_not_known(looks: Looks, doubt: str) -> None:
    found = again(looks)
    assert doubt in found.doubts[0]
    assert verdict(found) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("gone_over", "seen"), [(ROWS - 3, Verdict.FAIL), (ROWS, Verdict.INCONCLUSIVE), (ROWS + 9, Verdict.INCONCLUSIVE)]
)
def test_what_a_backfill_says_of_itself_can_only_speak_against_it(gone_over: int, seen: Verdict) -> None:
    assert verdict(left(Looks(), Done(50.0, gone_over, None))) is seen


def test_of_a_backfill_that_was_not_seen_to_end_nothing_is_known() -> None:
    assert verdict(left(GOOD, None)) is Verdict.INCONCLUSIVE


def test_a_backfill_that_fails_is_not_done_though_the_table_lacks_nothing_of_the_drills() -> None:
    failed = replace(DONE, error="it ended with exit code 1")
    assert "it ended with exit code 1" in left(GOOD, failed).doubts[0]
    assert verdict(left(GOOD, failed)) is Verdict.INCONCLUSIVE
    assert verdict(left(after(ROWS - 5_000, 20_000), failed)) is Verdict.FAIL


@pytest.mark.parametrize(("there", "beyond"), [(100, 0), (90, 10), (None, 0)])
def test_more_rows_than_there_are_were_gone_over_again_or_deleted(there: int | None, beyond: int) -> None:
    assert Done(1.0, 100, there).beyond == beyond
