"""What a migration that was run under load shows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import LookUp, Write
from drillbook.domain.measurement import Window
from drillbook.domain.migration import proof
from drillbook.domain.migration.proof import Contents, Contraction, Step
from drillbook.domain.requests import Requests, Stalls
from drillbook.domain.verdict import Objective, Verdict, judge

WINDOW = Window(0.0, 100.0)
NO_STALLS = Stalls(np.array([]), np.array([]))
DOWN = Step("down", 1, 2, "1", "1", began="2")


def verdict(direction, limit, measured) -> Verdict:
    return judge(Objective("o", "s", direction, limit, measured.unit), measured).verdict


def requests(*rows: tuple[float, float, str], version: str = "1.0.0") -> Requests:
    due, took, outcome = zip(*rows, strict=True)
    due_s, done_s = np.array(due), np.array(due) + np.array(took)
    texts = [np.array([value] * len(rows), dtype=object) for value in (version, "blue", "east")]
    return Requests(due_s, due_s, done_s, np.array(outcome, dtype=object), *texts)


@pytest.mark.parametrize(
    ("steps", "missed", "seen"),
    [
        ([Step("up", 0, 1, "2", "2"), Step("down", 1, 2, "1", "1")], Interval(0, 0), Verdict.PASS),
        ([Step("up", 0, 1, "2", "2"), Step("down", 1, 2, "1", "2")], Interval(1, 1), Verdict.FAIL),
        ([Step("up", 0, 1, "2", "1")], Interval(1, 2), Verdict.FAIL),
        ([Step("up", 0, 1, "2", "2")], Interval(0, 1), Verdict.INCONCLUSIVE),
        ([], Interval(0, 2), Verdict.INCONCLUSIVE),
        # Its command failed where it was to lead: as a deployment's hook it would end every one.
        ([Step("up", 0, 1, "2", "2", began="1", failed=True), DOWN], Interval(1, 1), Verdict.FAIL),
        # The schema was there before.
        ([Step("up", 0, 1, "2", "2", began="2"), DOWN], Interval(0, 1), Verdict.INCONCLUSIVE),
        ([Step("up", 0, 1, "2", "2", began="2", failed=True), DOWN], Interval(1, 1), Verdict.FAIL),
        ([Step("up", 0, 1, "2", "3", began="2"), DOWN], Interval(1, 1), Verdict.FAIL),
        ([Step("up", 0, 1, "2", "2", began=""), DOWN], Interval(0, 0), Verdict.PASS),
    ],
)
def test_a_way_that_did_not_lead_where_it_was_to_is_missed(steps, missed, seen) -> None:
    found = proof.steps_missed(steps, ("up", "down"), WINDOW)
    assert found.interval == missed
    assert verdict("at_most", 0, found) is seen


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        ([Contents(1, 10, 77), Contents(2, 10, 77)], Interval.exactly(0)),
        ([Contents(1, 10, 77), Contents(2, 10, 78)], Interval(1, 10)),
        ([Contents(1, 7, 50), Contents(2, 10, 77)], Interval(3, 10)),
        ([Contents(1, 12, 99)], Interval(2, 12)),
    ],
)
def test_rows_that_are_not_what_they_were(after, changed) -> None:
    found = proof.rows_changed(Contents(0, 10, 77), after, WINDOW)
    assert found.interval == changed
    assert verdict("at_most", 0, found) is (Verdict.FAIL if changed.low else Verdict.PASS)


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, [Contents(1, 1, 1)]), (Contents(0, 1, 1), []), (Contents(0, 0, 0), [Contents(1, 0, 0)])],
)
def test_what_was_not_read_is_not_known(before, after) -> None:
    assert verdict("at_most", 0, proof.rows_changed(before, after, WINDOW)) is Verdict.INCONCLUSIVE


def test_what_one_release_acknowledged_is_asked_of_the_other() -> None:
    writes = [Write(key, acknowledged=True, refused=False, sent_s=0.9, done_s=1.0) for key in "abcd"]
    look_ups = [
        LookUp("a", 1, True, ""),
        LookUp("b", 0, False, ""),
        LookUp("c", 1, False, ""),
        LookUp("d", 0, False, "?"),
    ]
    found = proof.crosswise(writes, look_ups, "of the old by the new", WINDOW)
    assert (found.interval, found.samples) == (Interval(2, 3), 4)
    assert verdict("at_most", 0, proof.crosswise([], [], "nothing", WINDOW)) is Verdict.INCONCLUSIVE


def test_the_worst_latency_counts_from_when_the_request_was_due() -> None:
    found = proof.worst_latency(requests((1.0, 0.1, "ok"), (2.0, 0.7, "ok")), NO_STALLS, WINDOW, "worst")
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.7), pytest.approx(0.7))
    found = proof.worst_latency(requests((1.0, 0.1, "ok"), (2.0, 0.7, "server_error")), NO_STALLS, WINDOW, "worst")
    assert found.interval == Interval.exactly(math.inf)


def test_what_the_meter_slept_through_is_in_the_upper_bound_only() -> None:
    slept = Stalls(np.array([2.0]), np.array([2.5]))
    found = proof.worst_latency(requests((1.0, 0.1, "ok"), (2.0, 0.7, "ok")), slept, WINDOW, "worst")
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.2), pytest.approx(0.7))
    found = proof.worst_latency(requests((1.0, 0.1, "ok"), (2.0, 0.7, "timeout")), slept, WINDOW, "worst")
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.1), math.inf)


def test_without_requests_there_is_no_worst() -> None:
    found = proof.worst_latency(requests((200.0, 0.1, "ok")), NO_STALLS, WINDOW, "worst")
    assert verdict("at_most", 1, found) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        ((5.0, 0.9, "ok"), ""),
        ((5.0, 1.2, "ok"), "an answer took 1.20 s, more than 1 s, before the migration began"),
        ((5.0, 0.2, "server_error"), "a request failed before the migration began"),
        # Before all was there, and while the migration ran.
        ((3.0, 1.2, "ok"), ""),
        ((9.0, 1.2, "ok"), ""),
    ],
)
def test_what_was_slow_before_the_migration_is_not_its_doing(row, doubt: str) -> None:
    found = proof.slow_before(requests((4.5, 0.1, "ok"), row), NO_STALLS, Window(4.0, 10.0), 1.0)
    assert "".join(found).startswith(doubt)
    assert len(found) == bool(doubt)


def test_a_release_that_a_contract_step_ends_is_asked_nothing_after_it() -> None:
    asked = requests((1.0, 0.1, "ok"), (5.0, 0.1, "server_error"))
    found = proof.answers_of_older(asked, ["1.0.0"], 3.0, 10.0)
    assert found.interval == Interval.exactly(1)
    assert proof.answers_of_older(asked, ["0.9.0"], 3.0, 10.0).interval == Interval.exactly(0)
    assert proof.answers_of_older(asked, ["1.0.0"], 6.0, 10.0).samples == 0


def test_an_index_that_is_left_invalid_is_counted() -> None:
    assert proof.invalid_indexes(["i"], WINDOW).interval == Interval.exactly(1)
    assert verdict("at_most", 0, proof.invalid_indexes(None, WINDOW)) is Verdict.INCONCLUSIVE


def test_a_contract_step_that_was_taken_is_premature() -> None:
    refused = Contraction(0.0, 1.0, "2", "2", "still connected: analytics-blue-1.0.0; remove it", failed=True)
    taken, broken = replace(refused, after="3"), replace(refused, text="no such command")
    for tried, seen in (
        ([refused], Verdict.PASS), ([refused, taken], Verdict.FAIL), ([broken], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ):  # fmt: skip
        assert verdict("at_most", 0, proof.premature(tried, "1.0.0", WINDOW)) is seen


def test_a_contract_step_that_says_it_was_taken_was_not_refused() -> None:
    silent = Contraction(0.0, 1.0, "2", "2", "nothing is left of 1.0.0", failed=False)
    found = proof.premature([silent], "1.0.0", WINDOW)
    assert "ended without an error" in found.doubts[0]
    assert verdict("at_most", 0, found) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1.0.0", True), ("it would end 1.0.0.", True), ("analytics-blue-1.0.0, analytics-green-1.0.0", True),
        ("the server at 11.0.0.7 does not answer", False), ("the server at 1.0.0.1 does not answer", False),
        ("it would end 1.0.01", False),
    ],
)  # fmt: skip
def test_a_refusal_names_the_release_and_nothing_that_only_looks_like_it(text: str, named: bool) -> None:
    found = proof.premature([Contraction(0.0, 1.0, "2", "2", text, failed=True)], "1.0.0", WINDOW)
    assert (not found.doubts) is named
