"""Which sessions and jobs went on in the other region, from what was written down of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.domain import crossing
from drillbook.domain.crossing import Asked, Count, Kept, Try
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window

EAST, WEST = "east", "west"
WINDOW = Window(10.0, 20.0)
SWITCH = Interval(10.0, 20.0)
ASK = Asked("a", "good", EAST, WEST, 15.0, 15.1, "honoured", WEST)
FIRST = Try("k", EAST, EAST, 12.0, 14.0, "indeterminate", EAST, "")
DONE = Try("k", EAST, WEST, 21.0, 21.1, "acknowledged", WEST, "right")
AGAIN = [replace(DONE, sent_s=40.0, done_s=40.1, asked=region, by=region, again=True) for region in (EAST, WEST)]
KEPT = [Kept("k", region, 1, equal=True) for region in (EAST, WEST)]


@pytest.mark.parametrize(
    ("asks", "count"),
    [
        ([ASK], Count(1, 0, 0)),
        ([replace(ASK, seen="refused")], Count(1, 1, 0)),
        ([ASK, replace(ASK, seen="refused")], Count(1, 1, 0)),
        ([ASK, replace(ASK, seen="unanswered", by="")], Count(1, 0, 0)),
        ([replace(ASK, seen="unanswered", by="")], Count(1, 0, 1)),
        ([replace(ASK, by=EAST)], Count(1, 0, 1)),
        ([replace(ASK, asked=EAST, by=EAST)], Count(1, 0, 1)),
        ([replace(ASK, sent_s=9.9)], Count(1, 0, 1)),
        ([replace(ASK, sent_s=20.1)], Count(1, 0, 1)),
        ([], Count(1, 0, 1)),
    ],
)
def test_a_session_is_honoured_when_the_region_itself_has_said_so_in_time(asks, count) -> None:
    assert crossing.not_honoured(asks, ["a"], WEST, WINDOW) == count


@pytest.mark.parametrize(
    ("seen", "count"),
    [("refused", Count(1, 0, 0)), ("honoured", Count(1, 1, 0)), ("unanswered", Count(1, 0, 1))],
)
def test_a_forged_session_has_to_be_refused(seen, count) -> None:
    forged = replace(ASK, kind="forged", seen=seen)
    assert crossing.wrongly_honoured([ASK, forged], "forged", WEST, WINDOW) == count


def test_what_was_never_tried_is_shown_of_nothing() -> None:
    assert crossing.wrongly_honoured([ASK], "over", WEST, WINDOW).among == 0


@pytest.mark.parametrize(
    ("first", "flying"),
    [
        (FIRST, ["k"]),
        (replace(FIRST, state="refused"), ["k"]),
        (replace(FIRST, state="acknowledged"), []),
        (replace(FIRST, began=WEST), []),
        (replace(FIRST, sent_s=5.0, done_s=9.9), []),
        (replace(FIRST, sent_s=5.0, done_s=10.0), ["k"]),
        (replace(FIRST, sent_s=20.0, done_s=25.0), ["k"]),
        (replace(FIRST, sent_s=20.1, done_s=25.0), []),
    ],
)
def test_a_job_is_in_flight_that_the_region_left_had_not_acknowledged(first, flying) -> None:
    assert crossing.in_flight([DONE, first, *AGAIN], EAST, SWITCH) == flying


@pytest.mark.parametrize(
    ("tries", "count"),
    [
        ([FIRST, DONE], Count(1, 0, 0)),
        ([FIRST], Count(1, 1, 0)),
        ([FIRST, replace(DONE, by=EAST)], Count(1, 1, 0)),
        ([FIRST, replace(DONE, state="indeterminate")], Count(1, 1, 0)),
        ([FIRST, *AGAIN], Count(1, 1, 0)),
    ],
)
def test_a_job_is_finished_by_the_region_that_acknowledged_it_before_all_was_over(tries, count) -> None:
    assert crossing.unfinished(tries, ["k"], WEST) == count


@pytest.mark.parametrize(
    ("kept", "count"),
    [
        (KEPT, Count(1, 0, 0)),
        (KEPT[:1], Count(1, 0, 1)),
        ([], Count(1, 0, 1)),
        ([KEPT[0], replace(KEPT[1], copies=2)], Count(1, 1, 0)),
        ([KEPT[0], replace(KEPT[1], copies=0)], Count(1, 1, 0)),
        ([replace(KEPT[0], equal=False)], Count(1, 1, 0)),
    ],
)
def test_a_job_is_stored_once_as_both_regions_tell(kept, count) -> None:
    assert crossing.wrongly_kept(kept, ["k"], (EAST, WEST)) == count


@pytest.mark.parametrize(
    ("tries", "count"),
    [
        ([DONE, *AGAIN], Count(1, 0, 0)),
        ([DONE, AGAIN[0]], Count(1, 0, 1)),
        ([DONE, *AGAIN, replace(AGAIN[0], state="indeterminate", answer="busy")], Count(1, 0, 0)),
        ([DONE, AGAIN[0], replace(AGAIN[1], answer="another")], Count(1, 1, 0)),
        ([DONE, replace(AGAIN[0], state="refused", answer="a conflict"), *AGAIN], Count(1, 1, 0)),
        (AGAIN, Count(1, 0, 1)),
    ],
)
def test_a_job_that_is_sent_again_is_answered_the_same_by_both(tries, count) -> None:
    assert crossing.answered_otherwise(tries, ["k"], (EAST, WEST)) == count


def test_of_no_jobs_nothing_is_counted() -> None:
    assert crossing.unfinished([FIRST, DONE], [], WEST) == Count(0, 0, 0)
    assert crossing.wrongly_kept(KEPT, [], (EAST, WEST)) == Count(0, 0, 0)
