"""All writes of many drills together."""

from __future__ import annotations

import pytest

from drillbook.domain.ledger import LookUp, Write, integrity
from drillbook.domain.night import Account, night
from drillbook.domain.verdict import Verdict


def fate(**look_ups):
    """Of one acknowledged write for each name; how often it is there, and whether it is right."""
    writes = [Write(key, acknowledged=True, refused=False, sent_s=1.0, done_s=2.0) for key in look_ups]
    found = [
        LookUp(key, copies, equal, "" if copies is not None else "no answer")
        for key, (copies, equal) in look_ups.items()
    ]
    return integrity(writes, found)


THERE = {"a": (1, True), "b": (1, True)}


def test_what_is_there_is_accounted_for():
    found = night([Account("one", fate(**THERE)), Account("two", fate(c=(1, True)))])
    assert (found.loads, found.acknowledged, found.present, found.verdict) == (2, 3, 3, Verdict.PASS)


@pytest.mark.parametrize(
    ("fates", "broken", "unaccounted", "verdict"),
    [
        ({"a": (0, False)}, ("drill: 1 writes are lost",), (), Verdict.FAIL),
        ({"a": (1, False)}, ("drill: 1 writes are altered",), (), Verdict.FAIL),
        ({"a": (2, True)}, ("drill: 1 writes are there more than once",), (), Verdict.FAIL),
        (
            {**THERE, "c": (None, False)},
            (),
            ("drill: the look-up told nothing of 1 acknowledged writes",),
            Verdict.INCONCLUSIVE,
        ),
        ({}, (), (), Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_not_so_is_told_with_its_drill(fates, broken, unaccounted, verdict):
    found = night([Account("drill", fate(**fates))])
    assert (found.broken, found.unaccounted, found.verdict) == (broken, unaccounted, verdict)


def test_what_a_recovery_point_allowed_to_be_lost_is_counted_and_breaks_nothing():
    found = night([Account("loss", fate(**THERE, c=(0, False)), may_lose=True)])
    assert (found.lost, found.present, found.verdict) == (1, 2, Verdict.PASS)
    twice = night([Account("loss", fate(c=(2, True)), may_lose=True)])
    assert twice.verdict is Verdict.FAIL


def test_a_drill_whose_ledger_was_not_read_leaves_its_writes_unaccounted_for():
    found = night([Account("one", fate(**THERE)), Account("two", None, "the load was killed")])
    assert (found.acknowledged, found.unaccounted) == (2, ("two: the load was killed",))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_what_is_neither_acknowledged_nor_refused_may_be_there_or_not():
    writes = [Write(key, acknowledged=False, refused=False, sent_s=1.0, done_s=2.0) for key in "xyz"]
    writes.append(Write("a", acknowledged=True, refused=False, sent_s=1.0, done_s=2.0))
    found = night([Account("one", integrity(writes, [LookUp("a", 1, True, ""), LookUp("x", 1, True, "")]))])
    assert (found.indeterminate, found.indeterminate_present, found.verdict) == (3, 1, Verdict.PASS)
