"""Histograms that are added up are those of everything together, and a worker that is silent is no smaller load."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.domain.interval import Interval
from drillbook.domain.latencies import Latencies
from drillbook.domain.workers import Report, due_of, whole

SECONDS = st.lists(st.floats(0, 100), min_size=1, max_size=60)
DIGITS = 1e-3
"""Three significant digits: a bucket is at most a thousandth of its value wide."""


def of(seconds):
    return Latencies.of(np.array(seconds, float))


@settings(deadline=None, max_examples=40)
@given(parts=st.lists(SECONDS, min_size=1, max_size=4))
def test_merged_ranks_are_those_of_the_union_to_three_digits(parts):
    merged = Latencies.merged(of(part) for part in parts)
    union = np.sort(np.concatenate(parts))
    assert merged.count == len(union)
    for rank in {1, (len(union) + 1) // 2, len(union)}:
        exact = union[rank - 1]
        found = merged.ranked(rank)
        # A microsecond is what a value is rounded to.
        assert found.low - 1e-6 <= exact <= found.high + 1e-6
        assert found.high - found.low <= DIGITS * exact + 1e-6


@settings(deadline=None, max_examples=40)
@given(parts=st.lists(SECONDS, min_size=1, max_size=4))
def test_what_is_merged_is_the_same_as_what_was_never_apart(parts):
    merged = Latencies.merged(of(part) for part in parts)
    together = of(np.concatenate(parts))
    assert [merged.ranked(rank) for rank in range(1, merged.count + 1)] == [
        together.ranked(rank) for rank in range(1, together.count + 1)
    ]


def test_a_rank_beyond_the_last_took_for_ever():
    assert of([0.1]).ranked(2) == Interval(math.inf, math.inf)
    assert of([]).ranked(1) == Interval(math.inf, math.inf)
    assert Latencies.merged([]).count == 0


@pytest.mark.parametrize("wrong", [-0.1, 3601.0])
def test_what_is_no_latency_is_refused(wrong):
    with pytest.raises(ValueError, match="a latency lies from 0 to 3600 s"):
        of([wrong])


@pytest.mark.parametrize("wrong", ["", "nonsense", "HISTFAAAAB94nJNpmSzMwMDAxQABzFCaEUoz2X+A0AA="])
def test_what_is_no_histogram_is_refused(wrong):
    with pytest.raises(ValueError, match="this is no HDR histogram"):
        Latencies.decoded(wrong)


@given(workers=st.integers(1, 9), due=st.integers(0, 200))
def test_the_shares_add_up(workers, due):
    shares = [due_of(worker, workers, due) for worker in range(workers)]
    assert sum(shares) == due
    assert shares == [len(range(worker, due, workers)) for worker in range(workers)]


def report(worker, good_s, *, failed=0, doubtful=0, unsent=0, **more):
    seen = of(good_s)
    fields = {
        "worker": worker, "due": seen.count + failed + doubtful, "failed": failed, "doubtful": doubtful,
        "seen": seen, "least": seen, "sending": of(np.zeros(seen.count + failed)), "unsent": unsent,
        "lost": (0.0, 0.0), "duplicated": (0.0, 0.0), "acknowledged": 10, "now_s": 1.0,
    }  # fmt: skip
    return Report(**{**fields, **more})


def test_all_that_reported_make_one_quantile():
    fast, slow = report(0, [0.01] * 600), report(1, [0.2] * 600)
    found = whole([fast, slow], 2, 1200)
    assert not found.doubts
    assert found.failed == Interval(0, 0)
    assert found.latency_quantile(0.99).high == pytest.approx(0.2, rel=1e-3)
    assert found.latency_quantile(0.25).high == pytest.approx(0.01, rel=1e-3)
    assert whole([fast], 1, 600).latency_quantile(0.999) is None


def test_a_silent_worker_is_its_share_unknown():
    found = whole([report(0, [0.01] * 601)], 2, 1201)
    assert found.silent == 600
    assert found.failed == Interval(0, 600)
    assert "worker 1 did not report: of its 600 requests nothing is known" in found.doubts[0]


def test_a_worker_that_ended_before_its_time_has_too_few():
    found = whole([report(0, [0.01] * 600), report(1, [0.01] * 400)], 2, 1200)
    assert found.silent == 200
    assert found.doubts == ("worker 1 has 400 of the 600 requests that it had to send",)


def test_what_failed_took_for_ever_and_what_is_doubtful_is_in_the_upper_bound_only():
    certain = whole([report(0, [0.01] * 950, failed=50)], 1, 1000).latency_quantile(0.99)
    doubtful = whole([report(0, [0.01] * 950, doubtful=50)], 1, 1000).latency_quantile(0.99)
    assert certain == Interval(math.inf, math.inf)
    assert doubtful.low < 0.02
    assert doubtful.high == math.inf
    assert whole([report(0, [0.01] * 950, doubtful=50)], 1, 1000).failed == Interval(0, 50)


def test_a_report_survives_its_line_and_one_that_contradicts_itself_is_refused():
    made = report(3, [0.01, 0.02, 0.5], failed=2)
    document = json.loads(json.dumps(made.as_document()))
    again = Report.from_document(document)
    assert again.as_document() == made.as_document()
    assert again.seen.count == 3
    with pytest.raises(ValueError, match="not as many"):
        Report.from_document({**document, "due": 17})
    with pytest.raises(ValueError, match="lacks or has too many fields"):
        Report.from_document({key: value for key, value in document.items() if key != "seen"})
    with pytest.raises(ValueError, match="lacks or has too many fields"):
        Report.from_document({**document, "more": 1})
