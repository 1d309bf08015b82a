"""What many nights tell that one does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample import BROKEN, KEPT, UNDECIDED, Sample, check

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, history, sparkline


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return folder.read(Sample().write(tmp_path_factory.mktemp("run")))


def nights(record, *judgements):
    """One run for each judgement, which is all that its one drill judged."""
    for judged in judgements:
        drill = replace(record.drills[0], recorded=judged.verdict, checks=(history_check(judged),))
        yield replace(record, recorded=judged.verdict, drills=(drill,))


def history_check(judged):
    from drillbook.evidence.record import Check  # noqa: PLC0415

    return Check(judged, judged)


def took(low, high, limit=120.0):
    return check(low, high, limit, id="release.rollback", unit="s", requirements=("DEP-2.3",))


def seen(record, *judgements):
    judgements = [
        replace(j, measurement=replace(j.measurement, unit=j.objective.unit), verdict=Verdict.PASS)
        if j.objective.unit == "s"
        else j
        for j in judgements
    ]
    return history.of(nights(record, *judgements))


def test_a_row_ends_with_whatever_is_no_pass(record):
    assert seen(record, BROKEN, KEPT, KEPT).pasts[0].in_a_row == 2
    assert seen(record, KEPT, UNDECIDED, KEPT).pasts[0].in_a_row == 1
    assert seen(record, KEPT, KEPT, BROKEN).pasts[0].in_a_row == 0


def test_three_in_a_row_show_little(record):
    past = seen(record, KEPT, KEPT, KEPT).pasts[0]

    assert past.shown_share == pytest.approx(0.05 ** (1 / 3))
    assert seen(record, BROKEN).pasts[0].shown_share == 0


def test_there_and_back_is_flaky_and_there_is_a_regression(record):
    flaky = seen(record, KEPT, BROKEN, KEPT)
    regressed = seen(record, KEPT, KEPT, BROKEN)

    assert flaky.pasts[0].flaky
    assert not flaky.pasts[0].regressed
    assert regressed.pasts[0].regressed == 2
    assert not regressed.pasts[0].flaky
    assert "passed 2 times in a row, and is now FAIL" in regressed.findings[0]
    assert seen(record, KEPT, KEPT).findings == ()
    assert seen(record, BROKEN, BROKEN).pasts[0].regressed == 0


def test_two_figures_worse_than_all_before_are_a_drift_while_they_still_pass(record):
    steady = [took(1 + n / 10, 1.05 + n / 10) for n in range(5)]

    assert seen(record, *steady, took(3, 4), took(3, 4)).series[0].drifted == 5
    assert "by chance: 4.8%" in seen(record, *steady, took(3, 4), took(3, 4)).findings[0]
    assert not seen(record, *steady, took(3, 4), took(1, 1.1)).series[0].drifted
    assert not seen(record, *steady, took(1.4, 4), took(3, 4)).series[0].drifted, "the intervals are not apart"
    assert not seen(record, *steady[1:], took(3, 4), took(3, 4)).series[0].drifted, "too few to say so"


def test_a_recovery_is_told_by_the_worst_bound_of_its_row(record):
    found = seen(record, took(5, 6), took(1, 2), took(1, 3)).recovery

    assert [series.objective.id for series in found] == ["release.rollback"]
    assert found[0].worst == 6
    assert found[0].in_a_row == 3


def test_what_is_not_about_recovery_is_not_told_as_one(record):
    assert seen(record, KEPT).recovery == ()


def test_a_night_without_the_drill_stays_empty(record):
    runs = [*nights(record, KEPT), replace(record, drills=()), *nights(record, KEPT)]

    assert history.of(runs).pasts[0].verdicts == (Verdict.PASS, None, Verdict.PASS)


def test_figures_are_drawn_with_their_limit_where_it_is_near(record):
    near = sparkline.plot(seen(record, took(1, 2, limit=3), took(1, 2, limit=3)).series[0], 2)
    far = sparkline.plot(seen(record, took(1, 2), took(1, 2)).series[0], 2)

    assert near.count("<rect") == far.count("<rect") == 2
    assert "limit-line" in near
    assert "limit-line" not in far
    assert "limit at most 120 s" in far
