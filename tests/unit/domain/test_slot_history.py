"""Whose content a slot has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.slot_history import Before, Revision, is_as_before, somebody_elses

OURS = "ours"


def own(number: int) -> Revision:
    return Revision(number, mark=OURS, current=True)


def back(number: int, to: int, *, finished: bool = True) -> Revision:
    return Revision(number, back_to=to, finished=finished)


def theirs(number: int) -> Revision:
    return Revision(number, mark="Upgrade complete")


def halted(number: int) -> Revision:
    return Revision(number, finished=False)


def test_before_is_what_ran_and_the_last_that_there_was() -> None:
    assert Before.of([]) == Before(0, 0)
    assert Before.of([Revision(3), Revision(4, current=True), halted(5)]) == Before(4, 5)


@pytest.mark.parametrize(
    ("before", "history", "whose"),
    [
        (Before(0, 0), [], None),
        (Before(0, 0), [own(1)], None),
        (Before(0, 0), [halted(1)], None),
        (Before(0, 0), [theirs(1)], 1),
        (Before(0, 0), [own(1), theirs(2)], 2),
        (Before(0, 0), [own(1), theirs(2), back(3, 1)], None),
        (Before(0, 0), [own(1), halted(2)], 2),
        # A first installation that had failed is cleared away before ours begins.
        (Before(0, 2), [own(1)], None),
        (Before(0, 2), [halted(1)], None),
        (Before(0, 2), [theirs(1)], 1),
        (Before(0, 1), [halted(1), theirs(2), halted(3)], 2),
        (Before(5, 5), [theirs(5)], None),
        (Before(5, 5), [theirs(5), own(6)], None),
        (Before(5, 5), [theirs(5), own(6), back(7, 5)], None),
        (Before(5, 5), [theirs(5), own(6), back(7, 5, finished=False)], None),
        (Before(5, 5), [theirs(5), own(6), back(7, 5), theirs(8)], 8),
        (Before(5, 5), [theirs(5), own(6), theirs(7)], 7),
        (Before(5, 5), [theirs(5), own(6), halted(7)], 7),
        (Before(5, 5), [theirs(5), halted(6)], None),
        (Before(5, 5), [theirs(5), halted(6), back(7, 5), halted(8)], None),
        (Before(5, 5), [theirs(5), theirs(6), halted(7)], 6),
        (Before(5, 6), [theirs(5), halted(6)], None),
        (Before(5, 6), [theirs(5), halted(6), back(7, 5), own(8)], None),
        # Back to something older than what there was.
        (Before(5, 5), [theirs(4), theirs(5), own(6), back(7, 4)], 4),
        # What there was had been brought back itself.
        (Before(5, 5), [theirs(4), back(5, 4)], None),
        (Before(5, 5), [theirs(4), back(5, 4), own(6), back(7, 5)], None),
        (Before(5, 5), [back(5, 4), own(6), back(7, 5)], None),
        # Emptied and filled again: the numbers have begun anew.
        (Before(5, 5), [theirs(1)], 1),
        (Before(5, 5), [theirs(1), theirs(2)], 2),
        # So many since that ours is forgotten.
        (Before(5, 5), [theirs(15), theirs(16)], 16),
    ],
)
def test_whose_content_a_slot_has(before, history, whose) -> None:
    found = somebody_elses(history, before, OURS)
    assert (found.number if found else None) == whose


@pytest.mark.parametrize(
    ("revision", "history", "holds"),
    [
        (0, [], True),
        (0, [own(1)], False),
        (5, [], False),
        (5, [theirs(5)], True),
        (5, [theirs(5), own(6)], False),
        (5, [theirs(5), own(6), back(7, 5)], True),
        (5, [theirs(5), own(6), back(7, 5, finished=False)], False),
        (5, [back(5, 4), own(6), back(7, 5)], True),
    ],
)
def test_whether_it_has_what_it_had(revision, history, holds) -> None:
    assert is_as_before(history, revision) == holds


@given(st.lists(st.booleans(), max_size=8))
def test_a_finished_revision_of_somebody_else_at_the_end_is_never_ours(ours) -> None:
    history = [own(number) if mine else theirs(number) for number, mine in enumerate(ours, 1)]
    last = theirs(len(history) + 1)
    assert somebody_elses([*history, last], Before(0, 0), OURS) == last
