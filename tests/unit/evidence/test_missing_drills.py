"""What was asked for and left no record is noticed, whatever the records of others are called."""

from __future__ import annotations

import pytest
from sample import Sample

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder


@pytest.mark.parametrize(
    ("requested", "missing"),
    [
        (["Müller bleibt", "Möller bleibt"], ["Möller bleibt"]),
        (["切替", "復旧"], ["復旧"]),
        (["A good one", "Откат"], ["Откат"]),
        (["back in +5 s", "back in -5 s"], ["back in -5 s"]),
        (["Nobody notices", "Nobody notices"], ["Nobody notices"]),
        (["A good one", "A release is cut over", "DEP-2.1"], ["A release is cut over", "DEP-2.1"]),
        (["A good one", "???"], ["???"]),
        (["A good one"], []),
    ],
)
def test_a_drill_answers_for_one_that_was_asked_for(tmp_path, requested, missing):
    """Whatever its scenario, its feature and its tags have in common with the name of another."""
    run = Sample(run={"requested": requested}, drill={"scenario": requested[0]}).write(tmp_path / "run")

    assert folder.read(run).missing == tuple(missing)
    assert folder.read(run).verdict is (Verdict.INCONCLUSIVE if missing else Verdict.PASS)


@pytest.mark.parametrize("asked", ["test_A_good_release_replaces_the_live_one", "a-good-release-replaces-the-live-one"])
def test_what_was_asked_for_in_other_words_is_still_found(tmp_path, asked):
    run = Sample(run={"requested": [asked]}).write(tmp_path / "run")

    assert folder.read(run).missing == ()
    assert folder.read(run).verdict is Verdict.PASS
