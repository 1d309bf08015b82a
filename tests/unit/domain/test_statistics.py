from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.statistics import at_most, quantile_ranks, share


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # Computed with R's binom.test.
        (0, 10, 0.0, 0.3084971),
        (10, 10, 0.6915029, 1.0),
        (3, 10, 0.06673951, 0.6524529),
        (5990, 5990, 0.9993843, 1.0),
        (50, 1000, 0.03733540, 0.06539049),
    ],
)
def test_clopper_pearson(hits, of, low, high):
    interval = share(hits, of)
    assert interval.low == pytest.approx(low, rel=1e-5)
    assert interval.high == pytest.approx(high, rel=1e-5)


@pytest.mark.parametrize(("hits", "of"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_a_share_of_nothing_is_refused(hits, of):
    with pytest.raises(ValueError, match="a share needs"):
        share(hits, of)


@given(trials=st.integers(1, 60), hits=st.integers(0, 60), probability=st.floats(0.001, 0.999))
def test_the_distribution_is_the_sum_of_its_terms(trials, hits, probability):
    terms = (
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(min(hits, trials) + 1)
    )
    assert at_most(hits, trials, probability) == pytest.approx(min(1.0, sum(terms)), abs=1e-9)


def test_it_holds_at_the_edges_and_for_many():
    assert at_most(3, 10, 0.0) == 1.0
    assert at_most(3, 10, 1.0) == 0.0
    assert at_most(500_000, 1_000_000, 0.5) == pytest.approx(0.5004, abs=1e-4)
    assert at_most(989_805, 1_000_000, 0.99) == pytest.approx(0.025, abs=0.002)


def test_too_few_samples_have_no_interval_for_a_high_quantile():
    assert quantile_ranks(0, 0.5) is None
    assert quantile_ranks(367, 0.99) is None
    assert quantile_ranks(368, 0.99) is not None


@given(samples=st.integers(10, 3000), quantile=st.floats(0.01, 0.99))
def test_the_ranks_hold_the_quantile_often_enough(samples, quantile):
    ranks = quantile_ranks(samples, quantile)
    if ranks is None:
        return
    low, high = ranks
    assert 1 <= low <= high <= samples
    below = at_most(low - 1, samples, quantile) if low > 1 else 0.0
    assert below <= 0.025 + 1e-9
    assert at_most(high - 1, samples, quantile) >= 0.975 - 1e-9
