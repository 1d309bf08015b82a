"""What many nights tell that one does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample import BROKEN, KEPT, SCENARIO, START_S, UNDECIDED, Sample, check
from typer.testing import CliRunner

from drillbook.cli import app
from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, history, history_report, sparkline
from drillbook.evidence.record import Continued


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return folder.read(Sample().write(tmp_path_factory.mktemp("run")))


def nights(record, *judgements):
    """One run for each judgement, which is all that its one drill judged."""
    for judged in judgements:
        drill = replace(record.drills[0], recorded=judged.verdict, checks=(history_check(judged),))
        yield replace(record, recorded=judged.verdict, drills=(drill,))


def history_check(judged):
    from drillbook.evidence.record import Check  # noqa: PLC0415

    return Check(judged, judged)


def took(low, high, limit=120.0):
    return check(low, high, limit, id="release.rollback", unit="s", requirements=("DEP-2.3",))


def in_seconds(judged):
    measured = replace(judged.measurement, unit="s")
    return replace(judged, measurement=measured, verdict=Verdict.PASS) if judged.objective.unit == "s" else judged


def seen(record, *judgements):
    return history.of(nights(record, *map(in_seconds, judgements)))


def test_a_row_ends_with_whatever_is_no_pass(record):
    assert seen(record, BROKEN, KEPT, KEPT).pasts[0].in_a_row == 2
    assert seen(record, KEPT, UNDECIDED, KEPT).pasts[0].in_a_row == 1
    assert seen(record, KEPT, KEPT, BROKEN).pasts[0].in_a_row == 0


def test_three_in_a_row_show_little(record):
    past = seen(record, KEPT, KEPT, KEPT).pasts[0]

    assert past.shown_share == pytest.approx(0.05 ** (1 / 3))
    assert seen(record, BROKEN).pasts[0].shown_share == 0


def test_there_and_back_is_flaky_and_there_is_a_regression(record):
    flaky = seen(record, KEPT, BROKEN, KEPT)
    regressed = seen(record, KEPT, KEPT, BROKEN)

    assert flaky.pasts[0].flaky
    assert not flaky.pasts[0].regressed
    assert regressed.pasts[0].regressed == 2
    assert not regressed.pasts[0].flaky
    assert "passed 2 times in a row, and is now FAIL" in regressed.findings[0]
    assert seen(record, KEPT, KEPT).findings == ()
    assert seen(record, BROKEN, BROKEN).pasts[0].regressed == 0


def test_two_figures_worse_than_all_before_are_a_drift_while_they_still_pass(record):
    steady = [took(1 + n / 10, 1.05 + n / 10) for n in range(5)]

    assert seen(record, *steady, took(3, 4), took(3, 4)).series[0].drifted == 5
    assert "by chance: 4.8 %" in seen(record, *steady, took(3, 4), took(3, 4)).findings[0]
    assert not seen(record, *steady, took(3, 4), took(1, 1.1)).series[0].drifted
    assert not seen(record, *steady, took(1.4, 4), took(3, 4)).series[0].drifted, "the intervals are not apart"
    assert not seen(record, *steady[1:], took(3, 4), took(3, 4)).series[0].drifted, "too few to say so"


def test_a_recovery_is_told_by_the_worst_bound_of_its_row(record):
    found = seen(record, took(5, 6), took(1, 2), took(1, 3)).recovery

    assert [series.objective.id for series in found] == ["release.rollback"]
    assert found[0].worst == 6
    assert found[0].in_a_row == 3


@pytest.mark.parametrize(
    "doubt",
    [
        {"error": "INCONCLUSIVE: the fault never took effect"},
        {"error": "FAIL: a request failed", "withheld": ("the fault never took effect",), "checks": (BROKEN,)},
        {"error": "INCONCLUSIVE: no data", "withheld": ("NotReady: it is not whole",), "checks": (UNDECIDED,)},
    ],
)
def test_a_recovery_counts_only_where_its_drill_proved_something(record, doubt):
    runs = list(nights(record, *[in_seconds(took(1, 2))] * 3))
    (drill,) = runs[1].drills
    others = tuple(history_check(judged) for judged in doubt.get("checks", ()))
    runs[1] = replace(runs[1], drills=(replace(drill, **{**doubt, "checks": (*drill.checks, *others)}),))

    assert history.of(runs).recovery[0].in_a_row == 1
    told = history_report.recovered(history.of(runs[:2]).recovery[0])
    assert told == "the last one was not seen to keep it: nothing is shown"


def test_a_recovery_of_a_drill_that_broke_another_promise_counts(record):
    runs = list(nights(record, *[in_seconds(took(1, 2))] * 2))
    (drill,) = runs[0].drills
    broken = replace(drill, checks=(*drill.checks, history_check(BROKEN)))
    runs = [replace(run, drills=(broken,)) for run in runs]

    assert history.of(runs).pasts[0].passed == 0
    assert history.of(runs).recovery[0].in_a_row == 2


def test_what_a_tighter_limit_forbids_is_no_part_of_a_row(record):
    tightened = seen(record, *[took(50, 60)] * 3, took(1, 2, limit=20)).recovery[0]
    loosened = seen(record, *[took(1, 2, limit=20)] * 3, took(50, 60)).recovery[0]

    assert (tightened.objective.limit, tightened.in_a_row, tightened.worst) == (20, 1, 2)
    assert [figure.verdict for figure in tightened.figures[:3]] == [Verdict.FAIL] * 3
    assert (loosened.in_a_row, loosened.worst) == (4, 60)


def test_what_is_not_about_recovery_is_not_told_as_one(record):
    assert seen(record, KEPT).recovery == ()


def test_a_night_without_the_drill_stays_empty(record):
    runs = [*nights(record, KEPT), replace(record, drills=()), *nights(record, KEPT)]

    assert history.of(runs).pasts[0].verdicts == (Verdict.PASS, None, Verdict.PASS)


def test_figures_are_drawn_with_their_limit_where_it_is_near(record):
    near = sparkline.plot(seen(record, took(1, 2, limit=3), took(1, 2, limit=3)).series[0], 2)
    far = sparkline.plot(seen(record, took(1, 2), took(1, 2)).series[0], 2)

    assert near.count("<rect") == far.count("<rect") == 2
    assert "limit-line" in near
    assert "limit-line" not in far
    assert "limit at most 120 s" in far


def test_of_a_year_of_nights_the_newest_are_drawn(record):
    series = seen(record, *[took(1, 2)] * 3, *[took(3, 4)] * sparkline.MOST_RUNS).series[0]

    drawn = sparkline.plot(series, len(series.figures))

    assert drawn.count("<rect") == sparkline.MOST_RUNS
    assert f"{sparkline.MOST_RUNS} measurements between 3 s and 4 s" in drawn
    assert 'x="-' not in drawn


def test_nights_of_two_environments_are_two_histories(record):
    here, there = list(nights(record, KEPT, KEPT)), list(nights(record, BROKEN))
    there = [replace(run, environment={"name": "staging"}) for run in there]
    found = history.of([here[0], *there, here[1]])

    assert [(past.environment, past.verdicts) for past in found.pasts] == [
        ("twin", (Verdict.PASS, None, Verdict.PASS)),
        ("staging", (None, Verdict.FAIL, None)),
    ]
    assert found.findings == (f"{SCENARIO}, in staging: has not passed in any of its drills (1)",)
    assert [found.named(past) for past in found.pasts] == [f"{SCENARIO}, in twin", f"{SCENARIO}, in staging"]
    assert history.of(here).named(found.pasts[0]) == SCENARIO
    assert [series.environment for series in found.series] == ["twin", "staging"]


def test_a_regression_is_told_from_its_first_run(record):
    runs = list(nights(record, KEPT, BROKEN, UNDECIDED))
    runs = [replace(run, started_s=START_S + night * 86_400) for night, run in enumerate(runs)]

    found = history.of(runs)

    assert found.pasts[0].broke_at == 1
    assert found.findings[0].endswith("passed once, and is now INCONCLUSIVE: no pass since 2026-11-19 11:06:40 UTC")
    assert history.of(runs[:1]).pasts[0].broke_at is None
    assert history.of(runs[1:]).pasts[0].broke_at is None, "it never passed"


def test_drills_that_did_not_pass_count_where_all_are_counted(record):
    mended, broken = seen(record, BROKEN, KEPT, UNDECIDED, KEPT).pasts[0], seen(record, KEPT, BROKEN).pasts[0]

    assert mended.passed == 2
    assert mended.shown_by_all == pytest.approx(0.0976, abs=1e-4)
    told = "at least 5 % of such drills pass if what failed before is mended; by all 4, at least 9.7 % do"
    assert history_report.shown(mended) == told
    assert history_report.shown(broken) == "the last one did not pass; by all 2, at least 2.5 % do"
    assert history_report.shown(seen(record, KEPT, KEPT).pasts[0]) == "at least 22.3 % of such drills pass"


def said(run, *sentences, **changes):
    (drill,) = run.drills
    return replace(run, drills=(replace(drill, sentences=sentences, **changes),))


def test_a_row_is_of_the_sentences_that_the_scenario_has_now(record):
    loose = [said(run, "given a", "then at most 9 fail") for run in nights(record, *[KEPT] * 5)]
    tight = [said(run, "given a", "then none fails") for run in nights(record, KEPT, KEPT)]

    past = history.of([*loose, *tight]).pasts[0]

    assert (past.in_a_row, past.passed, len(past.drilled)) == (2, 7, 7)
    told = "at least 22.3 % of such drills pass; the 5 before were of other sentences"
    assert history_report.shown(past) == told
    broken = [said(run, "given a", "then none fails") for run in nights(record, BROKEN)]
    told = "the last one did not pass; by all 2, at least 2.5 % do; the 5 before were of other sentences"
    assert history_report.shown(history.of([*loose, *tight[:1], *broken]).pasts[0]) == told
    assert history.of([*loose, *nights(record, KEPT)]).pasts[0].in_a_row == 1, "whose record keeps none, was of others"


def test_a_drill_that_was_ended_before_its_last_sentence_is_one_of_them(record):
    whole = [said(run, "given a", "then b") for run in nights(record, KEPT, KEPT)]
    ended = [said(run, "given a") for run in nights(record, UNDECIDED)]
    longer = [said(run, "given a", "then b", "then c") for run in nights(record, BROKEN)]

    assert [past.since for past in history.of([*whole, *ended]).pasts] == [0]
    assert [past.since for past in history.of([*ended, *whole]).pasts] == [0]
    assert [past.since for past in history.of([*whole, *longer]).pasts] == [2]


def test_the_page_has_the_worst_first_and_everything_that_was_found(record):
    other = replace(next(nights(record, KEPT)).drills[0], scenario="Another")
    runs = [replace(run, drills=(other, *run.drills)) for run in nights(record, KEPT, BROKEN)]
    runs += [replace(run, drills=()) for run in runs[:1]]

    page = history_report.page(history.of(runs))

    table = page.split("Which shows, at 95 % confidence", 1)[1]
    assert table.index(SCENARIO) < table.index("Another")
    assert "3 of 4 drills in 3 runs passed; 1 thing has to be looked into." in page
    assert "passed once, and is now FAIL" in page
    assert table.count(": not drilled") == 2 * 2, "as title and as label"
    assert "No run was found" in history_report.page(history.of([]))


def test_recoveries_are_told_by_requirement_with_their_bound(record):
    page = history_report.page(seen(record, *[took(5, 6)] * 14))

    assert "at least 80.7 % of recoveries are no worse than 6 s; 45 more in a row for 95 %" in page
    assert "DEP-2.3 · " in page


def history_of(place, *checks):
    runs = place / "runs"
    for night, judged in enumerate(checks):
        started = {"started_s": START_S + night * 86_400}
        Sample(checks=(judged,), run=started).write(runs / f"run-{night}")
    return CliRunner().invoke(app, ["history", "--runs", str(runs)])


@pytest.mark.parametrize(("checks", "code"), [((KEPT, KEPT), 0), ((KEPT, BROKEN), 1), ((BROKEN,), 1)])
def test_the_command_tells_the_nights_and_ends_with_whether_to_look_into_something(tmp_path, checks, code):
    ended = history_of(tmp_path, *checks)

    assert ended.exit_code == code, ended.output
    signs = "".join("✓" if judged is KEPT else "✕" for judged in checks)
    assert f"  {signs}  {signs.count('✓')} of {len(signs)} passed" in ended.output
    assert ("look into: " in ended.output) is bool(code)
    assert (tmp_path / "history.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("command", "environment", "says"),
    [
        ("history", "environments/twin.yaml", "in 1 run passed"),
        ("history", "environments/other.yaml", "No run was found."),
        ("trace", "environments/twin.yaml", "1 runs read"),
        ("trace", "environments/other.yaml", "0 runs read"),
    ],
)
def test_runs_are_chosen_by_the_name_of_an_environment_or_its_file(tmp_path, command, environment, says):
    Sample().write(tmp_path / "runs" / "run-1")
    ended = CliRunner().invoke(app, [command, "--runs", str(tmp_path / "runs"), "--environment", environment])

    assert says in ended.output


def test_the_command_refuses_where_there_are_no_runs(tmp_path):
    ended = CliRunner().invoke(app, ["history", "--runs", str(tmp_path / "none")])

    assert ended.exit_code == 2
    assert "give the folder of the runs with --runs" in ended.output


def test_a_drill_that_a_later_run_has_kept_counts_once(record):
    first, second = nights(record, KEPT, KEPT)
    resumed = replace(second, continues=Continued(first.run_id))
    assert history.of([first, resumed]).pasts[0].in_a_row == 1
    (drill,) = second.drills
    anew = replace(resumed, drills=(replace(drill, started_s=drill.started_s + 60),))
    assert history.of([first, anew]).pasts[0].in_a_row == 2
