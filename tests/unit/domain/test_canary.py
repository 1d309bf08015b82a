"""A canary's decisions, from windows of answers alone."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.domain.canary import Arm, Comparison, Margins, Plan, Window, window
from drillbook.domain.canary_ruling import Look, Step, look, numbers
from drillbook.domain.two_sample import Counts

# What is to be shown of errors before the last step has tests of its own; elsewhere some 50 answers show it.
PLAN = Plan(least_answers=100, hold_s=60.0, false_promotion=0.97)
WINDOW_S = 0.25


def seen_window(number: int, draw: random.Random, *, each: int = 15, bad: float = 0.0, slower: float = 1.0) -> Window:
    """Both releases asked equally often; what is slow for one is slow for the other."""
    moment = draw.choice((1.0, 1.0, 1.0, 8.0))
    arms = [
        Arm(
            Counts(each, sum(draw.random() < share for _ in range(each))),
            tuple(0.005 * factor * moment * draw.lognormvariate(0, 0.3) for _ in range(each)),
        )
        for share, factor in ((bad, slower), (0.0, 1.0))
    ]
    return Window(number * WINDOW_S, (number + 1) * WINDOW_S, *arms)


def tried(*, looks: int = 60, seed: int = 1, servers: float | None = 1e9, plan: Plan = PLAN, **flaw):
    """The first look that does not hold, or the last, and when."""
    draw = random.Random(seed)  # noqa: S311 - the same numbers each time are the point
    seen = Comparison(plan)
    for number in range(-20, 0):
        seen = seen.learn(seen_window(number, draw))
    step = Step(50, 0.0)
    found = look(seen, step, 0.0, servers)
    for number in range(looks):
        made = seen_window(number, draw, **flaw)
        seen, step = seen.plus(made), step.plus(made)
        found = look(seen, step, made.end_s, servers)
        if found.ruling != "hold":
            break
    return found, seen, step


def test_one_that_is_no_worse_is_promoted_once_enough_was_seen_and_not_before() -> None:
    found, seen, _ = tried()
    assert found.ruling == "promote"
    assert 100 <= seen.canary.total < 130
    assert "0 of the canary's" in found.reason


@pytest.mark.parametrize(
    ("flaw", "within", "reason"),
    [
        ({"bad": 0.1}, 10, "answers were bad and 0 of stable's"),
        ({"slower": 2.0}, 10, "half of the canary's answers took up to"),
        ({"bad": 1.0}, 3, "answers were bad and 0 of stable's"),
        ({"slower": 100.0}, 4, "half of the canary's answers took up to"),
    ],
    ids=["10 % errors", "twice as slow", "nothing but errors", "a hundred times as slow"],
)
def test_one_that_is_worse_is_aborted(flaw, within, reason) -> None:
    found, _, _ = tried(**flaw, plan=replace(PLAN, least_answers=1000))
    assert found.ruling == "abort"
    assert reason in found.reason
    assert found.at_s <= within * WINDOW_S + 1e-9


def test_three_moments_abort_and_two_do_not() -> None:
    draw = random.Random(3)  # noqa: S311
    seen = Comparison(PLAN)
    for number in range(20):
        seen = seen.learn(seen_window(number, draw))
    rulings = []
    for number in range(4):
        seen = seen.plus(seen_window(number, draw, each=100, bad=1.0))
        rulings.append(look(seen, Step(50, 0.0), 0.0, 1e9).ruling)
    assert rulings[:2] == ["hold", "hold"]
    assert rulings[-1] == "abort"


def test_a_slowdown_within_the_margin_is_none() -> None:
    wide = replace(PLAN, margins=Margins(latency=1.1, latency_s=0.1))
    assert all(tried(seed=seed, slower=1.05)[0].ruling == "promote" for seed in range(5))
    assert tried(slower=2.0, plan=wide)[0].ruling == "promote"


def test_seldom_is_one_aborted_that_is_no_worse() -> None:
    aborted = sum(tried(seed=seed, bad=0.0005, looks=40)[0].ruling == "abort" for seed in range(40))
    assert aborted <= 1


HELD = {
    "no answer at all": lambda made: replace(made, canary=Arm(), stable=Arm()),
    "no answer of the canary": lambda made: replace(made, canary=Arm()),
    "no answer of stable": lambda made: replace(made, stable=Arm()),
    "no latency": lambda made: replace(made, canary=replace(made.canary, latencies_s=())),
    "a latency that is no number": lambda made: replace(made, unusable=1),
    "another weight than was declared": lambda made: replace(
        made, canary=Arm(Counts(made.canary.counts.total * 9, 0), made.canary.latencies_s * 9)
    ),
}


@pytest.mark.parametrize("wrong", HELD)
def test_what_is_missing_holds_the_step_and_ends_undecided(wrong) -> None:
    draw = random.Random(5)  # noqa: S311
    seen, step = Comparison(PLAN), Step(10 if "weight" in wrong else 50, 0.0)
    rulings = set()
    for number in range(int(PLAN.hold_s / WINDOW_S) + 1):
        made = HELD[wrong](seen_window(number, draw, each=2))
        seen, step = seen.plus(made), step.plus(made)
        found = look(seen, step, made.end_s, 1e9)
        rulings.add(found.ruling)
    assert rulings == {"hold", "undecided"}
    assert found.reason.startswith("held at")


@pytest.mark.parametrize(
    ("servers", "reason"),
    [
        (None, "no number for the canary's version"),
        (math.nan, "no number for the canary's version"),
        (3.0, "the servers counted 3 answers"),
    ],
)
def test_what_its_servers_do_not_show_under_its_version_is_not_promoted(servers, reason) -> None:
    found, _, _ = tried(servers=servers)
    assert found.ruling == "hold"
    assert reason in found.reason


def test_a_canary_that_answers_under_no_name_is_not_promoted() -> None:
    line = {"start_s": 0.0, "end_s": 0.25, "unanswered": {}, "unsent": 0, "overslept": 0, "versions": {
        "|green": {"ok": 5, "bad": {}, "latency_ms": [5.0] * 5},
        "1.0.0|blue": {"ok": 95, "bad": {}, "latency_ms": [5.0] * 95},
    }}  # fmt: skip
    made = window(line, "1.1.0|green", "1.0.0|blue")
    seen, step = Comparison(PLAN).plus(made).plus(made), Step(5, 0.0).plus(made).plus(made)
    found = look(seen, step, 1.0, 1e9)
    assert found.ruling == "hold"
    assert found.reason == (
        "0 answers of the canary were seen at this weight, 0 of them timed, and 100 are needed; 10 answers named "
        "neither release"
    )


def lost(of: int, failed: int, *, number: int = 0, doubtful: int = 0, weight: int = 5) -> Window:
    """A share of the answers is the canary's; some requests fail and name nobody."""
    canary = of * weight // 100
    arms = Arm(Counts(canary), (0.005,) * canary), Arm(Counts(of - canary - failed), (0.005,) * (of - canary - failed))
    return Window(number * WINDOW_S, (number + 1) * WINDOW_S, *arms, others=Counts(failed, failed), doubtful=doubtful)


def after(before: list[Window], *windows: Window, weight: int = 5, plan: Plan = PLAN) -> tuple[Look, Comparison]:
    """The look after some windows at one weight, with what was seen before the canary had traffic."""
    seen, step = Comparison(plan), Step(weight, 0.0)
    for made in before:
        seen = seen.learn(replace(made, canary=Arm()))
    for made in windows:
        seen, step = seen.plus(made), step.plus(made)
    return look(seen, step, 1.0, 1e9), seen


CLEAN = [lost(100, 0)] * 60


def test_requests_that_fail_without_an_answer_that_names_a_release_abort_where_few_did_before() -> None:
    found, _ = after(CLEAN, *[lost(100, 5)] * 5)
    assert found.ruling == "abort"
    assert "25 of 500 requests failed without an answer that names a release" in found.reason
    assert "0 of 5700 before the canary had traffic" in found.reason


def test_those_that_failed_as_often_before_abort_nothing_and_are_not_promoted() -> None:
    found, _ = after([lost(100, 5)] * 60, *[lost(100, 5)] * 40)
    assert found.ruling == "promote", "ten in a hundred may have it"
    found, _ = after([lost(100, 5)] * 60, *[lost(100, 5, weight=50)] * 40, weight=50)
    assert found.ruling == "hold"


def test_where_nothing_is_known_of_before_they_abort_nothing() -> None:
    found, _ = after([], *[lost(100, 5)] * 40)
    assert found.ruling == "hold"
    assert found.reason.endswith("too little is known of the time before to say whose they were")
    assert after([], *[lost(100, 0)] * 40)[0].ruling == "promote"


def test_what_may_be_the_loads_own_doing_aborts_nothing() -> None:
    assert after(CLEAN, *[lost(100, 5, doubtful=5)] * 40)[0].ruling != "abort"


def test_two_moments_of_failures_without_a_name_do_not_abort() -> None:
    assert after(CLEAN, *[lost(100, 80)] * 2)[0].ruling == "hold"
    assert after(CLEAN, *[lost(100, 80)] * 3)[0].ruling == "abort"


def test_failures_without_a_name_half_the_way_to_an_abort_hold_the_step() -> None:
    found, _ = after(CLEAN, *[lost(100, 1)] * 9, plan=replace(PLAN, least_answers=5))
    assert found.ruling == "hold"
    assert found.reason.startswith("9 of 900 requests failed without an answer that names a release")
    assert found.reason.endswith("more than half the way to an abort")


def half(failed: int, number: int) -> Window:
    return lost(100, failed, number=number, weight=50)


def test_all_that_named_nobody_is_taken_for_the_canarys_before_it_gets_all_of_the_traffic() -> None:
    clean = [half(0, number) for number in range(50)]
    assert after(CLEAN, *clean, weight=50, plan=SURE)[0].ruling == "promote"
    some = [half(int(number % 10 == 0), number) for number in range(50)]
    found, seen = after(CLEAN, *some, weight=50, plan=SURE)
    assert found.ruling == "hold"
    assert seen.errors.highest == 0.0, "they are no evidence against it"
    assert "5 requests failed without an answer that names a release, and are taken for the canary's" in found.reason
    assert "has to be shown before it gets all of the traffic" in found.reason
    # Those in doubt as well: it is their users whom it would get.
    doubtful = [replace(made, doubtful=made.others.hits) for made in some]
    assert after(CLEAN, *doubtful, weight=50, plan=SURE)[0].ruling == "hold"


def test_failures_of_a_moment_in_which_nobody_else_answered_are_charged_with_the_next() -> None:
    clean = [half(0, number) for number in range(60)]
    silent = replace(half(50, 60), canary=Arm(), stable=Arm())
    found, seen = after(CLEAN, *clean, silent, weight=50, plan=SURE)
    assert seen.within.log >= math.log(20), "there was nobody to compare with"
    assert found.ruling == "hold"
    assert after(CLEAN, *clean, silent, clean[0], weight=50, plan=SURE)[1].within.log < 0


def test_evidence_that_is_half_the_way_to_an_abort_holds_the_step() -> None:
    draw = random.Random(8)  # noqa: S311
    seen, step = Comparison(PLAN), Step(50, 0.0)
    for number in range(-30, 0):
        seen = seen.learn(seen_window(number, draw))
    for number in range(8):
        made = seen_window(number, draw)
        seen, step = seen.plus(made), step.plus(made)
    assert look(seen, step, 2.0, 1e9).ruling == "promote"
    for number in (8, 9):
        seen = seen.plus(seen_window(number, draw, bad=1.0))
    found = look(seen, step, 2.5, 1e9)
    assert found.ruling == "hold"
    assert "more than half the way to an abort" in found.reason


def looked(canary: Counts, *, weight: int, plan: Plan) -> tuple[Look, Comparison]:
    """After so many answers of the canary, and as many of a stable release without a flaw, by 15 in each moment."""
    seen, step, blocks = Comparison(plan), Step(weight, 0.0), canary.total // 15
    seen = seen.learn(Window(-1.0, 0.0, Arm(), Arm(Counts(300), (0.005,) * 300)))
    for number in range(blocks):
        bad = (number + 1) * canary.hits // blocks - number * canary.hits // blocks
        arms = Arm(Counts(15, bad), (0.005,) * 15), Arm(Counts(15), (0.005,) * 15)
        made = Window(number * WINDOW_S, (number + 1) * WINDOW_S, *arms)
        seen, step = seen.plus(made), step.plus(made)
    return look(seen, step, 0.0, 1e9), seen


SURE = Plan(least_answers=100, hold_s=60.0)


def test_none_gets_all_of_the_traffic_before_its_errors_are_shown_to_be_within_the_margin() -> None:
    # Without a bad answer of either each one of the canary's counts for nearly the margin: log(20) / 0.002 is 1,498.
    found, seen = looked(Counts(1_350), weight=50, plan=SURE)
    assert found.ruling == "hold"
    assert "0.20% more has to be shown before it gets all of the traffic" in found.reason
    assert found.reason.endswith("of 20 to 1")
    assert seen.within.log < math.log(20)
    found, seen = looked(Counts(2_700), weight=50, plan=SURE)
    assert found.ruling == "promote"
    assert seen.within.log >= math.log(20)


def test_what_lies_at_the_margin_is_not_promoted_however_much_is_seen() -> None:
    found, _ = looked(Counts(6_000, 12), weight=50, plan=SURE)
    assert found.ruling == "hold"


def test_a_few_more_users_need_no_such_evidence() -> None:
    assert looked(Counts(150), weight=25, plan=SURE)[0].ruling == "promote"


def test_a_canary_beyond_its_margin_is_seldom_promoted_and_its_like_is() -> None:
    few = replace(SURE, margins=Margins(errors=0.02))
    worse = [tried(seed=seed, looks=240, bad=0.022, plan=few)[0].ruling for seed in range(40)]
    assert worse.count("promote") <= 4
    assert [tried(seed=seed, looks=240, plan=few)[0].ruling for seed in range(5)] == ["promote"] * 5


def test_a_line_of_the_loads_record_is_read() -> None:
    line = {
        "start_s": 1.0, "end_s": 1.25, "unanswered": {"timeout": 2}, "unsent": 1, "overslept": 9, "doubtful": 2,
        "versions": {
            "1.1.0|green": {"ok": 3, "bad": {"server_error": 1}, "latency_ms": [4.0, math.nan, -1.0, math.inf]},
            "1.0.0|blue": {"ok": 5, "bad": {}, "latency_ms": [2.0]},
            "|": {"ok": 0, "bad": {"server_error": 4}, "latency_ms": []},
        },
    }  # fmt: skip
    assert window(line, "1.1.0|green", "1.0.0|blue") == Window(
        1.0, 1.25, Arm(Counts(4, 1), (0.004,)), Arm(Counts(5, 0), (0.002,)), Counts(7, 7), unusable=3, doubtful=2
    )


def test_a_window_that_began_before_the_step_does_not_count_for_it() -> None:
    made = seen_window(0, random.Random(1))  # noqa: S311
    assert Step(10, 0.1).plus(made) == Step(10, 0.1)


def test_stable_alone_teaches_and_bets_nothing() -> None:
    made = replace(seen_window(0, random.Random(1)), canary=Arm())  # noqa: S311
    seen = Comparison(PLAN).plus(made)
    assert seen.known.total == 15
    assert seen.errors.log == seen.slow_highest == 0.0
    assert seen.limits_s() == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 30), st.integers(0, 3)), max_size=12))
def test_whatever_is_seen_the_numbers_are_json_and_nothing_is_promoted_on_less_than_the_least(windows) -> None:
    seen, step = Comparison(PLAN), Step(50, 0.0)
    for number, (canary, canary_bad, stable, stable_bad) in enumerate(windows):
        arms = [
            Arm(Counts(total, min(bad, total)), (0.005,) * total)
            for total, bad in ((canary, canary_bad), (stable, stable_bad))
        ]
        made = Window(number * 0.25, number * 0.25 + 0.25, *arms)
        seen, step = seen.plus(made), step.plus(made)
        found = look(seen, step, made.end_s, seen.canary.total)
        assert found.ruling != "promote" or min(seen.canary.total, seen.stable.total) >= PLAN.least_answers
        json.dumps(numbers(seen, step, math.nan), allow_nan=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": (5, 10)}, {"steps": (100,)}, {"steps": ()}, {"steps": (10, 5, 100)}, {"steps": (0, 100)},
        {"least_answers": 0}, {"false_abort": 0.0}, {"false_abort": 1.0}, {"false_promotion": 0.0},
        {"false_promotion": 1.0}, {"hold_s": math.nan}, {"hold_s": math.inf},
    ],
    ids=str,
)  # fmt: skip
def test_a_plan_that_decides_nothing_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="canary"):
        Plan(**wrong)


@pytest.mark.parametrize("wrong", [{"errors": 0.0}, {"errors": math.nan}, {"latency": 0.9}, {"latency_s": math.inf}])
def test_margins_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="margins"):
        Margins(**wrong)
