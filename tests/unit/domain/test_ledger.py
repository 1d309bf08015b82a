from __future__ import annotations

import math

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import LookUp, Write, integrity


def write(key, state="acknowledged", done_s=1.0):
    return Write(key, state == "acknowledged", state == "refused", done_s - 0.1, done_s)


def test_every_key_is_classified_once():
    found = integrity(
        [
            write("kept"),
            write("lost", done_s=7),
            write("lost", done_s=5),
            write("altered"),
            write("twice"),
            write("unanswered"),
            write("unasked"),
            write("refused", "refused", math.nan),
            write("late", "indeterminate"),
            write("vanished", "indeterminate"),
            write("another", "indeterminate"),
            write("unclear", "indeterminate"),
            write("retried", "indeterminate"),
            write("retried"),
        ],
        [
            LookUp("kept", 1, equal=True, error=""),
            LookUp("lost", 0, equal=False, error=""),
            LookUp("altered", 1, equal=False, error=""),
            LookUp("twice", 2, equal=True, error=""),
            LookUp("unanswered", 0, equal=False, error="timeout"),
            LookUp("late", 1, equal=True, error=""),
            LookUp("vanished", 0, equal=False, error=""),
            LookUp("another", 1, equal=False, error=""),
            LookUp("retried", 1, equal=True, error=""),
        ],
    )
    assert found.kept == ("kept", "twice", "retried")
    assert found.lost == ("lost",)
    assert found.altered == ("altered",)
    assert found.duplicated == ("twice",)
    assert found.unknown == ("unanswered", "unasked")
    assert (found.late, found.vanished, found.unclear) == (("late",), ("vanished", "another"), ("unclear",))
    assert found.lost_since_s == 5
    assert found.acknowledged == 7
    assert found.losses == Interval(2, 4)


def test_an_empty_ledger_lost_nothing():
    found = integrity([], [])
    assert found.losses == Interval(0, 0)
    assert found.lost_since_s is None
