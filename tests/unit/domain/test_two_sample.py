"""The bets that tell a canary from the stable release, held against what their papers promise."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.domain.two_sample import (
    Alternative,
    Counts,
    Evidence,
    alternatives,
    divergence,
    growth,
    log_bet,
    mixture,
    nearest,
)

PROBABILITIES = st.floats(0.001, 0.999)
MARGINS = st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.3])
SIZES = st.integers(1, 6)


def binomial(total: int, hits: int, probability: float) -> float:
    return math.comb(total, hits) * probability**hits * (1 - probability) ** (total - hits)


def expected(sizes: tuple[int, int], true: Alternative, against: Alternative, margin: float) -> float:
    """Of the bet on a block, summed over everything that may come."""
    return sum(
        binomial(sizes[0], first, true.first) * binomial(sizes[1], second, true.second)
        * math.exp(log_bet(Counts(sizes[0], first), Counts(sizes[1], second), against, margin))
        for first in range(sizes[0] + 1)
        for second in range(sizes[1] + 1)
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, PROBABILITIES, st.floats(0, 1), PROBABILITIES, st.sampled_from(range(6)), MARGINS)
def test_no_pair_that_keeps_the_rule_makes_a_bet_pay(a, b, first, below, believed, chosen, margin) -> None:  # noqa: PLR0917
    true = Alternative(first, min(0.999, first + margin) * below)
    for against in alternatives(believed, margin)[chosen : chosen + 1]:
        assert expected((a, b), true, against, margin) <= 1 + 1e-9


def test_a_pair_that_breaks_the_rule_makes_it_pay() -> None:
    against = Alternative(0.01, 0.2)
    assert expected((4, 4), against, against, 0.002) > 1.1


@given(SIZES, SIZES, PROBABILITIES, PROBABILITIES)
def test_without_a_margin_the_nearest_pair_is_the_papers(a, b, first, second) -> None:
    """Theorem 1 of Turner, Ly and Grünwald: both streams together."""
    found = nearest((a, b), Alternative(first, second), 0.0)
    if second > first:
        assert found.first == found.second == pytest.approx((a * first + b * second) / (a + b))


@given(SIZES, SIZES, st.floats(0.001, 0.5), st.floats(0.01, 0.4), st.floats(0, 1), MARGINS)
def test_the_nearest_pair_keeps_the_rule_and_none_on_its_edge_is_nearer(a, b, first, more, far, margin) -> None:  # noqa: PLR0917
    against = Alternative(first, first + margin + more * (1 - margin - first))
    found = nearest((a, b), against, margin)
    assert found.second == pytest.approx(found.first + margin)
    other = far * (1 - margin)

    def away(first: float) -> float:
        return a * divergence(against.first, first) + b * divergence(against.second, min(1.0, first + margin))

    assert away(found.first) <= away(other) + 1e-9
    assert growth((a, b), against, margin) == pytest.approx(away(found.first))


def test_divergence_is_what_the_books_say() -> None:
    assert divergence(0.5, 0.25) == pytest.approx(0.1438410362)  # Cover and Thomas, example 2.3.1: 0.2075 bits
    assert divergence(0.5, 0.5) == 0.0
    assert divergence(0.5, 0.0) == math.inf


def test_expected_growth_is_the_mean_of_what_the_bets_pay() -> None:
    against = Alternative(0.02, 0.3)
    mean = sum(
        binomial(3, first, 0.02) * binomial(2, second, 0.3)
        * log_bet(Counts(3, first), Counts(2, second), against, 0.01)
        for first in range(4) for second in range(3)
    )  # fmt: skip
    assert growth((3, 2), against, 0.01) == pytest.approx(mean)


@pytest.mark.parametrize(("first", "second"), [(Counts(), Counts(50, 50)), (Counts(50, 0), Counts())])
def test_a_block_that_lacks_a_stream_tells_nothing(first, second) -> None:
    assert Evidence().plus(first, second, believed=0.01, margin=0.002, cap=2.0) == Evidence()
    assert log_bet(first, second, Alternative(0.01, 0.5), 0.002) == 0.0


def test_a_margin_that_allows_everything_is_never_exceeded() -> None:
    assert Evidence().plus(Counts(10, 0), Counts(10, 10), believed=0.6, margin=0.4, cap=2.0) == Evidence()


def test_one_block_counts_for_no_more_than_the_cap_however_bad_it_is() -> None:
    hiccup = Evidence().plus(Counts(1000, 0), Counts(1000, 1000), believed=0.001, margin=0.002, cap=1.7)
    assert hiccup.log == pytest.approx(1.7)
    later = hiccup
    for _ in range(20):
        later = later.plus(Counts(100, 0), Counts(100, 0), believed=0.001, margin=0.002, cap=1.7)
    assert later.log < hiccup.log
    assert later.highest == pytest.approx(1.7)


def run(first: float, second: float, *, blocks: int, seed: int, margin: float = 0.002) -> Evidence:
    rng = random.Random(seed)  # noqa: S311 - the same numbers each time are the point
    evidence, seen = Evidence(), Counts(300, 0)
    for number in range(blocks):
        # What both have at the same time is nobody's fault: every tenth moment everything fails ten times as often.
        worse = 10.0 if number % 10 == 0 else 1.0
        a = Counts(20, sum(rng.random() < first * worse for _ in range(20)))
        b = Counts(20, sum(rng.random() < second * worse for _ in range(20)))
        evidence = evidence.plus(a, b, believed=(seen.hits + 0.5) / (seen.total + 1), margin=margin, cap=1.77)
        seen = seen.plus(a)
    return evidence


def test_looked_at_all_the_time_two_alike_are_seldom_told_apart_though_both_have_bad_moments() -> None:
    alarms = sum(run(0.01, 0.01, blocks=80, seed=seed).highest >= math.log(20) for seed in range(60))
    assert alarms <= 3


def test_the_worse_one_is_found() -> None:
    assert all(run(0.001, 0.1, blocks=60, seed=seed).highest >= math.log(200) for seed in range(20))


def test_a_mixture_is_the_mean() -> None:
    part = Evidence((math.log(8.0),) * 6)
    assert mixture((part, Evidence())) == pytest.approx(math.log(4.5))


@pytest.mark.parametrize(("total", "hits"), [(1, 2), (1, -1), (-1, -1)])
def test_counts_that_cannot_be_are_refused(total, hits) -> None:
    with pytest.raises(ValueError, match="is no count"):
        Counts(total, hits)
    assert math.isnan(Counts().share)
