from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.rate_search import Next, Search, Tried
from drillbook.domain.verdict import Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SEARCH = Search(from_hz=100, most_hz=1200, factor=1.5, within=1.25)


def searched(search, verdict, most=60):
    """All that is tried against a platform whose verdict on a rate is known."""
    tried = []
    while (wanted := search.next(tried)) is not None:
        assert len(tried) < most, "the search does not come to an end"
        answer = verdict(wanted)
        starved = answer == "starved"
        tried.append(Tried(wanted.rate_hz, INCONCLUSIVE if starved else answer, starved, wanted.longer))
    return tried


def bears(capacity_hz):
    return lambda wanted: PASS if wanted.rate_hz <= capacity_hz else FAIL


@given(capacity_hz=st.floats(100, 1190))
def test_the_capacity_lies_between_what_is_found_and_both_are_close(capacity_hz):
    found = SEARCH.found(searched(SEARCH, bears(capacity_hz)))
    assert found.met_hz <= capacity_hz < found.failed_hz
    assert found.failed_hz <= 1.25 * found.met_hz
    assert not found.why_open


@given(capacity_hz=st.floats(100, 1190))
def test_what_is_found_was_held_for_longer_and_nothing_beyond_the_most_was_tried(capacity_hz):
    tried = searched(SEARCH, bears(capacity_hz))
    assert any(one.longer and one.rate_hz == SEARCH.found(tried).met_hz for one in tried)
    assert max(one.rate_hz for one in tried) <= 1200
    assert len(tried) <= 12


def test_a_platform_that_bears_the_most_has_no_upper_bound():
    found = SEARCH.found(searched(SEARCH, bears(math.inf)))
    assert (found.met_hz, found.failed_hz) == (1200, math.inf)
    assert "no rate up to 1200" in found.why_open


def test_a_platform_that_does_not_bear_the_first_rate_is_tried_with_less():
    found = SEARCH.found(searched(SEARCH, bears(40)))
    assert found.met_hz <= 40 < found.failed_hz <= 1.25 * found.met_hz


def test_a_platform_that_bears_nothing_is_told():
    tried = searched(SEARCH, bears(0))
    assert SEARCH.found(tried).met_hz == 0
    assert min(one.rate_hz for one in tried) >= 10


def test_a_starved_meter_ends_the_search_and_is_never_the_platform_s_limit():
    tried = searched(SEARCH, lambda wanted: PASS if wanted.rate_hz < 300 else "starved")
    found = SEARCH.found(tried)
    assert found.met_hz == 225
    assert found.failed_hz == math.inf
    assert "the machine that makes the load was the limit" in found.why_open
    assert max(one.rate_hz for one in tried) == 337.5
    assert sum(one.rate_hz == 337.5 for one in tried) == 2


def test_a_meter_that_was_starved_once_and_decided_then_is_believed():
    tried = [Tried(100, PASS), Tried(120, INCONCLUSIVE, starved=True), Tried(120, FAIL), Tried(100, PASS, longer=True)]
    assert not SEARCH.found(tried).why_open


def test_a_starved_meter_below_what_failed_leaves_the_search_open():
    tried = [Tried(100, PASS), Tried(150, FAIL), Tried(122, INCONCLUSIVE, starved=True)]
    assert "the machine that makes the load" in SEARCH.found(tried).why_open


def test_rates_that_decide_nothing_are_gone_around():
    found = SEARCH.found(
        searched(
            SEARCH, lambda wanted: PASS if wanted.rate_hz < 300 else FAIL if wanted.rate_hz > 340 else INCONCLUSIVE
        )
    )
    assert found.met_hz < 300
    assert found.failed_hz > 340
    assert found.failed_hz <= 1.25 * found.met_hz


def test_a_wide_band_that_decides_nothing_is_told():
    found = SEARCH.found(
        searched(
            SEARCH, lambda wanted: PASS if wanted.rate_hz < 200 else FAIL if wanted.rate_hz > 400 else INCONCLUSIVE
        )
    )
    assert found.why_open == "what lies between could not be decided"
    assert found.met_hz < 200
    assert found.failed_hz > 400


def test_nothing_that_decides_ends_soon_and_is_told():
    tried = searched(SEARCH, lambda _wanted: INCONCLUSIVE)
    assert len(tried) == 2
    assert "100 requests a second decided nothing" in SEARCH.found(tried).why_open


def test_what_does_not_last_is_not_found():
    # Borne for a while up to 300, and for long only up to 200.
    def verdict(wanted):
        return PASS if wanted.rate_hz <= (200 if wanted.longer else 300) else FAIL

    tried = searched(SEARCH, verdict)
    found = SEARCH.found(tried)
    assert found.met_hz <= 200
    assert any(one.longer and one.verdict is PASS and one.rate_hz == found.met_hz for one in tried)


def test_it_begins_where_it_is_told_and_tries_what_decides_nothing_once_more():
    assert SEARCH.next([]) == Next(100)
    assert SEARCH.next([Tried(100, INCONCLUSIVE)]) == Next(100)
    assert SEARCH.next([Tried(100, PASS)]) == Next(150)


@pytest.mark.parametrize(
    "wrong", [{"from_hz": 0}, {"from_hz": 2000}, {"factor": 1}, {"within": 1.01}, {"most_hz": math.nan}]
)
def test_a_search_that_has_no_end_is_refused(wrong):
    with pytest.raises(ValueError, match="a search for a rate"):
        Search(**({"from_hz": 100, "most_hz": 1200} | wrong))
