"""What whoever signs is told to follow up."""

from __future__ import annotations

import pytest
from sample import BROKEN, KEPT, SCENARIO, UNDECIDED, Sample

from drillbook.domain.verdict import Verdict
from drillbook.evidence import deviations, folder, report


def told(path, **changes):
    return deviations.of(folder.read(Sample(**changes).write(path)))


def test_a_run_without_a_flaw_has_none(tmp_path):
    assert told(tmp_path) == ()
    assert "None: every drill ran" in report.page(folder.read(tmp_path))


@pytest.mark.parametrize(
    ("changes", "verdict", "what", "follow_up"),
    [
        ({"checks": (KEPT, BROKEN)}, Verdict.FAIL, "no request failed", "mend it"),
        ({"checks": (UNDECIDED,)}, Verdict.INCONCLUSIVE, "straddles", "drill again: longer"),
        ({"checks": ()}, Verdict.INCONCLUSIVE, "nothing was judged", "find out why"),
        ({"undo": "stuck"}, Verdict.FAIL, "was not put back", "drillbook recover"),
        ({"undo": "done"}, Verdict.FAIL, "was not put back", "drillbook recover"),
        ({"run": {"requested": [SCENARIO, "Another"]}}, Verdict.INCONCLUSIVE, "left no record", "drill it again"),
        ({"run": {"left_out": ["A", "B"]}}, Verdict.PASS, "left out, of what is drilled here: A; B", "shows nothing"),
        ({"error": "the load ended early"}, Verdict.INCONCLUSIVE, "the load ended early", "find out why"),
        ({"drill": {"verdict": "FAIL"}}, Verdict.FAIL, "does not say why", "find out why"),
    ],
)
def test_each_deviation_has_its_follow_up(tmp_path, changes, verdict, what, follow_up):
    worst = told(tmp_path, **changes)[0]

    assert worst.verdict is verdict
    assert what in worst.what
    assert follow_up in worst.follow_up


def test_the_worst_comes_first_and_the_page_shows_all(tmp_path):
    run = folder.read(Sample(checks=(UNDECIDED, BROKEN)).write(tmp_path))
    page = report.page(run)

    assert [each.verdict for each in deviations.of(run)] == [Verdict.FAIL, Verdict.INCONCLUSIVE]
    assert all(each.follow_up in page for each in deviations.of(run))


@pytest.mark.parametrize(("envelope", "unsigned"), [("a" * 64, ""), (None, ", of which nothing was signed")])
def test_a_run_that_goes_on_with_another_says_so_and_what_was_begun_again(tmp_path, envelope, unsigned):
    before = {"run_id": "EARLIER", "sha256": "b" * 64, "envelope": envelope, "again": ["a-drill"]}
    found = told(tmp_path, run={"continues": before})
    assert [(deviation.where, deviation.verdict) for deviation in found] == [
        ("the run", Verdict.PASS), ("a-drill", Verdict.PASS),
    ]  # fmt: skip
    assert found[0].what == f"goes on with EARLIER, which was ended before its time{unsigned}"
    assert "begun in EARLIER" in found[1].what
