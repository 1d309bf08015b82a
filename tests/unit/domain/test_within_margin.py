"""The bets that show a canary to be within its margin, held against what their papers promise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.domain.two_sample import Alternative, Counts, divergence, on_edge
from drillbook.domain.within_margin import Assurance, log_bet, pairs

PROBABILITIES = st.floats(0.0001, 0.95)
MARGINS = st.sampled_from([0.001, 0.01, 0.1, 0.3])
SIZES = st.integers(1, 6)


def binomial(total: int, hits: int, probability: float) -> float:
    return math.comb(total, hits) * probability**hits * (1 - probability) ** (total - hits)


def expected(sizes: tuple[int, int], true: Alternative, pair: Alternative, margin: float) -> float:
    """Of the bet on a block, summed over everything that may come."""
    return sum(
        binomial(sizes[0], first, true.first) * binomial(sizes[1], second, true.second)
        * math.exp(log_bet(Counts(sizes[0], first), Counts(sizes[1], second), pair, margin))
        for first in range(sizes[0] + 1)
        for second in range(sizes[1] + 1)
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SIZES, SIZES, st.floats(0, 1), st.floats(0, 1), PROBABILITIES, st.sampled_from(range(2)), MARGINS)
def test_no_pair_beyond_the_margin_makes_a_bet_pay(a, b, first, above, believed, chosen, margin) -> None:  # noqa: PLR0917
    first *= 1 - margin
    true = Alternative(first, first + margin + above * (1 - first - margin))
    for pair in pairs(believed, margin)[chosen : chosen + 1]:
        assert expected((a, b), true, pair, margin) <= 1 + 1e-9


def test_two_that_are_alike_make_it_pay() -> None:
    pair = pairs(0.01, 0.1)[0]
    assert expected((6, 6), pair, pair, 0.1) > 1.1


@given(SIZES, SIZES, PROBABILITIES, st.floats(0, 0.9), st.floats(0, 1), MARGINS)
def test_the_nearest_pair_is_on_the_edge_and_none_there_is_nearer(a, b, first, part, far, margin) -> None:  # noqa: PLR0917
    if first + margin >= 1:
        return
    pair = Alternative(first, first + part * margin)
    found = on_edge((a, b), pair, margin)
    assert found.second == pytest.approx(found.first + margin)
    other = far * (1 - margin)

    def away(first: float) -> float:
        return a * divergence(pair.first, first) + b * divergence(pair.second, min(1.0, first + margin))

    assert away(found.first) <= away(other) + 1e-9


def test_answers_without_a_flaw_show_it_as_the_rule_of_three_says() -> None:
    """No bad one in n excludes 3 / n at 95 % confidence (Hanley and Lippman-Hand, JAMA 249, 1983): 1,500 for 0.002."""
    seen, answers = Assurance(), 0
    while seen.log < math.log(20):
        answers += 15
        seen = seen.plus(Counts(15), Counts(15), believed=1e-6, margin=0.002, cap=1.0)
    assert 1500 <= answers <= 1.3 * 1500


def test_one_moment_counts_for_no_more_than_the_cap() -> None:
    outage = Assurance().plus(Counts(1000, 1000), Counts(1000, 0), believed=0.001, margin=0.002, cap=1.0)
    assert outage.log == pytest.approx(1.0)


def test_a_bad_answer_of_the_canary_takes_away_what_many_good_ones_gave() -> None:
    good = Assurance()
    for _ in range(20):
        good = good.plus(Counts(15), Counts(15), believed=0.0005, margin=0.002, cap=1.0)
    worse = good.plus(Counts(15), Counts(15, 1), believed=0.0005, margin=0.002, cap=1.0)
    assert worse.log < good.log - 0.5


@pytest.mark.parametrize(("first", "second"), [(Counts(), Counts(50, 0)), (Counts(50, 0), Counts())])
def test_a_block_that_lacks_a_stream_tells_nothing(first, second) -> None:
    assert Assurance().plus(first, second, believed=0.01, margin=0.002, cap=2.0) == Assurance()


def test_a_margin_that_allows_everything_is_never_shown() -> None:
    assert Assurance().plus(Counts(10), Counts(10), believed=0.6, margin=0.4, cap=2.0) == Assurance()
