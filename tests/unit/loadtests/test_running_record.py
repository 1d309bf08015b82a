"""The load's running record."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest

from drillbook.domain.traffic import Origin, Outcome
from loadtests.state import Live
from tests.unit.domain.rows import stalls

RELEASE = Origin("r", "green", "1.1.0")


@pytest.fixture
def line(tmp_path):
    """The one window in which requests ended, given when we did not run."""

    def write(*lost, slept=()):
        live = Live(tmp_path, SimpleNamespace(now=lambda: 10.0), 0.25, lambda: stalls(*slept))
        live.answered(RELEASE, Outcome.OK, (9.99, 9.995))
        for outcome, due_s, done_s in lost:
            live.unanswered(outcome, due_s, done_s)
        live.finish()
        return json.loads((tmp_path / "live.jsonl").read_text())

    return write


def test_what_failed_while_we_ran_is_not_in_doubt(line):
    found = line((Outcome.TIMEOUT, 4.0, 9.0), (Outcome.RESET, 9.0, 9.01), (Outcome.UNSENT, 9.0, math.nan))
    assert (found["unanswered"], found["unsent"], found["doubtful"]) == ({"timeout": 1, "reset": 1}, 1, 0)


def test_what_may_be_our_own_doing_is_told_beside_it(line):
    lost = ((Outcome.TIMEOUT, 4.0, 9.0), (Outcome.REFUSED, 4.0, 9.0), (Outcome.UNSENT, 4.5, math.nan))
    found = line(*lost, slept=[(4.0, 5.0)])
    assert (found["unanswered"], found["unsent"], found["doubtful"]) == ({"timeout": 1, "refused": 1}, 1, 2)
