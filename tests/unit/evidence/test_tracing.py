"""What counts as a proof of a requirement, and what does not."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from sample import BROKEN, DRILL, KEPT, REQUESTS, SCENARIO, SENTENCES, START_S, UNDECIDED, Sample, check, event
from typer.testing import CliRunner

from drillbook.cli import app
from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, history, trace_report, tracing
from drillbook.evidence.requirements import catalogue
from drillbook.evidence.scenarios import Scenario
from drillbook.evidence.tracing import DAY_S, State
from drillbook.run.environment import DIRECTORY

NOW_S = START_S + DAY_S
ABOUT = Scenario(SCENARIO, "A release is cut over", "cutover.feature", ("DEP-2.1", "DEP-2.3"), SENTENCES)
ANOTHER = Scenario("Another", "F", "f.feature", ("DEP-2.1",), SENTENCES)


def run(runs, day=0.0, checks=(KEPT,), **changes):
    """A run so many days before the newest possible one."""
    shift = -day * DAY_S
    changes["drill"] = {"started_s": START_S + shift, "finished_s": START_S + 25 + shift, **changes.get("drill", {})}
    changes["run"] = {"run_id": f"run-{1000 - day:g}", "started_s": START_S + shift, **changes.get("run", {})}
    return Sample(checks=checks, **changes).write(runs / f"run-{1000 - day:g}")


def matrix(runs, *scenarios, now_s=NOW_S, days=7.0):
    found = tracing.read_runs(runs)
    return tracing.trace(catalogue(), scenarios or (ABOUT,), found, now_s=now_s, max_age_days=days)


def state(found, id_="DEP-2.1"):
    return next(row.state for row in found.rows if row.requirement.id == id_)


def test_a_fresh_pass_proves_and_nothing_else_is_proved(tmp_path):
    run(tmp_path)

    found = matrix(tmp_path)

    assert {row.requirement.id for row in found.rows if row.state.proved} == {"DEP-2.1", "DEP-2.3"}
    assert state(found, "DR-1.5") is State.NO_SCENARIO
    assert not found.proved


@pytest.mark.parametrize(
    ("checks", "expected"), [((BROKEN,), State.BROKEN), ((UNDECIDED,), State.UNDECIDED), ((), State.UNDECIDED)]
)
def test_the_last_drill_decides_whatever_came_before(tmp_path, checks, expected):
    run(tmp_path, day=2)
    run(tmp_path, day=1, checks=checks)

    assert state(matrix(tmp_path)) is expected

    run(tmp_path, day=0)
    assert state(matrix(tmp_path)) is State.PROVED


@pytest.mark.parametrize("first", ["PASS", "FAIL"])
def test_of_two_drills_of_one_name_in_one_run_both_have_to_pass(tmp_path, first):
    """As runs of older versions have them."""
    folder_of_run = run(tmp_path, checks=(KEPT,) if first == "PASS" else (BROKEN,))
    second = folder_of_run / "drills" / f"{DRILL}-2"
    shutil.copytree(folder_of_run / "drills" / DRILL, second)
    document = json.loads((second / "drill.json").read_text())
    document |= {"id": second.name, "started_s": START_S + 40, "finished_s": START_S + 60}
    document["verdict"] = "FAIL" if first == "PASS" else "PASS"
    (second / "drill.json").write_text(json.dumps(document))
    for name, lines in (
        ("checks.jsonl", [asdict(BROKEN if first == "PASS" else KEPT)]),
        ("timeline.jsonl", [event(0, "note", "x")]),
    ):
        with (folder_of_run / name).open("a") as file:
            file.writelines(json.dumps({**line, "drill": second.name}, default=str) + "\n" for line in lines)

    found = matrix(tmp_path)

    assert state(found) is State.BROKEN
    assert [str(drill.verdict) for drill in found.runs[0].drills] == [first, document["verdict"]]
    assert history.of(found.runs).pasts[0].verdicts == (Verdict.FAIL,)


def unrecorded(run_dir):
    (run_dir / "drills" / DRILL / "drill.json").unlink()


def damaged(run_dir):
    (run_dir / "drills" / DRILL / "drill.json").write_text('{"scen')


def without_any_record(run_dir):
    unrecorded(run_dir)
    (run_dir / "run.json").unlink()


@pytest.mark.parametrize("lose", [unrecorded, damaged])
@pytest.mark.parametrize(
    ("checks", "expected"), [((BROKEN,), State.BROKEN), ((KEPT,), State.UNDECIDED), ((), State.UNDECIDED)]
)
def test_a_drill_whose_record_is_lost_is_still_the_last(tmp_path, lose, checks, expected):
    run(tmp_path, day=2)
    lose(run(tmp_path, day=1, checks=checks))
    found = matrix(tmp_path, ABOUT, ANOTHER)

    states = [proof.state for row in found.rows if row.requirement.id == "DEP-2.1" for proof in row.proofs]
    assert states == [expected, State.NEVER_DRILLED]


@pytest.mark.parametrize(("checks", "expected"), [((BROKEN,), State.BROKEN), ((KEPT,), State.STALE)])
def test_nor_does_an_older_pass_count_where_the_record_of_the_run_is_lost_as_well(tmp_path, checks, expected):
    """It has no age then."""
    run(tmp_path, day=2)
    without_any_record(run(tmp_path, day=1, checks=checks))

    assert state(matrix(tmp_path)) is expected


def test_a_drill_whose_record_is_lost_stays_one_of_its_scenario(tmp_path):
    run(tmp_path, day=2)
    unrecorded(run(tmp_path, day=1, checks=(BROKEN,)))

    found = history.of(tracing.read_runs(tmp_path))

    assert [(past.scenario, past.verdicts) for past in found.pasts] == [(SCENARIO, (Verdict.PASS, Verdict.FAIL))]


GOES_ON = {"continues": {"run_id": "run-997", "sha256": "0" * 64, "envelope": None, "again": []}}
"""With a run that began three days before the newest possible one."""


@pytest.mark.parametrize("name", ["run-999", "20261117T110638Z-twin-0a1b"])
def test_a_run_that_goes_on_with_another_is_as_new_as_its_own_drills(tmp_path, name):
    began = {"started_s": START_S - 3 * DAY_S}
    run(tmp_path, day=2)
    run(tmp_path, day=1, checks=(BROKEN,), run={**began, **GOES_ON, "run_id": name})

    found = matrix(tmp_path)

    assert [record.run_id for record in found.runs] == ["run-998", name]
    assert state(found) is State.BROKEN
    past = history.of(found.runs)
    assert past.pasts[0].verdicts == (Verdict.PASS, Verdict.FAIL)
    assert "no pass since 2026-11-17" in past.findings[0]


def test_a_drill_that_was_kept_is_as_old_as_it_is(tmp_path):
    """The run that has kept it is newer than the one in between, in which it failed."""
    run(tmp_path, day=2, checks=(BROKEN,))
    run(tmp_path, day=3, run={**GOES_ON, "run_id": "20261117T110638Z-twin-0a1b"})

    assert state(matrix(tmp_path)) is State.BROKEN


def test_evidence_goes_stale(tmp_path):
    run(tmp_path)
    ends_s = START_S + 25

    assert state(matrix(tmp_path, now_s=ends_s + 7 * DAY_S)) is State.PROVED
    assert state(matrix(tmp_path, now_s=ends_s + 7 * DAY_S + 1)) is State.STALE
    assert state(matrix(tmp_path, now_s=ends_s + 7 * DAY_S + 1, days=8)) is State.PROVED


def test_evidence_from_the_future_or_without_a_date_is_not_fresh(tmp_path):
    run(tmp_path)

    assert state(matrix(tmp_path, now_s=START_S - DAY_S)) is State.STALE

    run(tmp_path, day=-1, drill={"started_s": None, "finished_s": None}, run={"started_s": None})
    undated = tracing.trace(catalogue(), (ABOUT,), tracing.read_runs(tmp_path)[:1], now_s=NOW_S, max_age_days=7)
    assert undated.runs[0].started_s is None
    assert state(undated) is State.STALE


def test_a_stale_failure_is_still_a_failure(tmp_path):
    run(tmp_path, day=30, checks=(BROKEN,))

    assert state(matrix(tmp_path)) is State.BROKEN


def test_every_scenario_of_a_requirement_has_to_pass(tmp_path):
    run(tmp_path)
    found = matrix(tmp_path, ABOUT, ANOTHER)

    assert state(found) is State.NEVER_DRILLED
    assert state(found, "DEP-2.3") is State.PROVED


def test_a_drill_that_was_not_about_it_then_is_no_evidence_now(tmp_path):
    run(tmp_path, drill={"requirements": ["DEP-2.1"]})

    assert state(matrix(tmp_path), "DEP-2.3") is State.NEVER_DRILLED


LOOSER = (*SENTENCES[:2], "then at most 9 requests fail")


@pytest.mark.parametrize(
    "sentences", [LOOSER, SENTENCES[:2], (*SENTENCES, "then nobody notices"), SENTENCES[::-1], (), None]
)
def test_a_pass_of_other_sentences_than_the_scenario_has_now_proves_nothing(tmp_path, sentences):
    """Nor does one of a record that keeps none, as older versions have them."""
    run(tmp_path, day=1)
    run(tmp_path, drill={"sentences": sentences if sentences is None else list(sentences)})

    found = matrix(tmp_path)

    assert (state(found), found.proved) == (State.CHANGED, False)
    assert "Not proved: 2 changed since they were drilled" in trace_report.summary(found)


def test_a_scenario_that_says_nothing_is_proved_by_nothing(tmp_path):
    run(tmp_path, drill={"sentences": []})

    assert state(matrix(tmp_path, replace(ABOUT, sentences=()))) is State.CHANGED


def test_a_promise_that_was_broken_stays_so_whatever_the_sentences_were(tmp_path):
    run(tmp_path, checks=(BROKEN,), drill={"sentences": list(LOOSER)})

    assert state(matrix(tmp_path)) is State.BROKEN


@pytest.mark.parametrize(
    ("sentences", "expected"), [(SENTENCES, State.UNDECIDED), (SENTENCES[:2], State.UNDECIDED), (LOOSER, State.CHANGED)]
)
def test_a_drill_that_was_cut_short_is_one_of_the_sentences_that_it_came_to(tmp_path, sentences, expected):
    run(tmp_path, error="NotReady: not whole", drill={"sentences": list(sentences), "raised": "NotReady: not whole"})

    assert state(matrix(tmp_path)) is expected


def test_a_pass_whose_raw_data_is_gone_proves_nothing(tmp_path):
    (run(tmp_path) / REQUESTS).write_bytes(b"PAR1")

    assert state(matrix(tmp_path)) is State.UNDECIDED


@pytest.mark.parametrize("doubt", [{"doubts": ["the fault never took effect"]}, {"raised": "NotReady: not whole"}])
def test_a_drill_that_doubted_something_proves_nothing_whatever_else_it_broke(tmp_path, doubt):
    other = check(3, 5, id="other", requirements=("DEP-1.1",))
    run(tmp_path, checks=(KEPT, other), error="FAIL: no request failed", drill=doubt)

    assert state(matrix(tmp_path)) is State.UNDECIDED
    told = folder.read(tmp_path / "run-1000").drills[0].reasons
    assert any("never took effect" in reason or "not whole" in reason for reason in told)


def test_a_scenario_that_names_no_promise_fails_the_whole(tmp_path):
    run(tmp_path)

    assert matrix(tmp_path, replace(ABOUT, requirements=("DEP-2.1", "DEP-9.9"))).unknown == ("DEP-9.9",)


def test_all_are_proved_only_when_all_are(tmp_path):
    run(tmp_path, drill={"requirements": [r.id for r in catalogue().requirements]})
    everything = replace(ABOUT, requirements=tuple(r.id for r in catalogue().requirements))

    assert matrix(tmp_path, everything).proved
    assert "prove all of them" in trace_report.summary(matrix(tmp_path, everything))
    assert not matrix(tmp_path, everything, replace(ANOTHER, requirements=("DEP-9.9",))).proved


def test_runs_of_another_environment_are_left_out_when_asked(tmp_path):
    run(tmp_path)

    assert len(tracing.read_runs(tmp_path, "twin")) == 1
    assert tracing.read_runs(tmp_path, "production") == ()
    assert tracing.read_runs(tmp_path / "none") == ()


class Closed(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.ids = []
        self.links = []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_in_red_what_is_not_proved_and_links_only_to_what_is_there(tmp_path):
    folder = run(tmp_path / "runs")
    (folder / "report.html").write_text("the report")
    run(tmp_path / "runs", day=1, drill={"scenario": "<script>alert(1)</script>"})
    run(tmp_path / "runs", day=2, drill={"scenario": ANOTHER.name, "sentences": list(LOOSER)})
    found = matrix(tmp_path / "runs", ABOUT, ANOTHER)

    page = trace_report.page(found, history.of(found.runs), tmp_path)
    parsed = Closed()
    parsed.feed(page)

    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert "<script" not in page
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert {link for link in parsed.links if not link.startswith("#")} == {"data:,", "runs/run-1000/report.html"}
    for row in found.rows:
        cell = page.split(f'id="{row.requirement.id}"', 1)[1].split("</tr>", 1)[0]
        assert ("not proved" in cell) is not row.state.proved
        assert f"s-{row.state.replace(' ', '-')}" in cell
    assert state(found) is State.CHANGED
    assert "3 days ago, of other sentences or limits than are promised now" in page


def test_what_the_scenarios_do_not_show_of_a_promise_is_told_beside_it(tmp_path):
    run(tmp_path / "runs", drill={"requirements": ["DEP-3.3"]})
    (tmp_path / "cutover.feature").write_text(f"@DEP-3.3\nFeature: F\n  Scenario: {SCENARIO}\n    Given x\n")
    unshown = catalogue().by_id()["DEP-3.3"].unshown

    told = CliRunner().invoke(app, ["trace", "--runs", str(tmp_path / "runs"), "--features", str(tmp_path)])

    assert told.exit_code == 1
    assert f"\n           not shown: {unshown}\n" in told.output
    page = (tmp_path / "traceability.html").read_text()
    assert f"Not shown: {escape(unshown)}" in page.split('id="DEP-3.3"', 1)[1].split("</tr>", 1)[0]
    assert "Not shown" not in page.split('id="DEP-3.5"', 1)[1].split("</tr>", 1)[0]


@pytest.mark.parametrize(("outage", "expected"), [("250 ms", State.PROVED), ("200 ms", State.CHANGED)])
def test_a_limit_that_was_changed_in_the_environments_file_has_to_be_drilled_again(
    tmp_path, monkeypatch, outage, expected
):
    folder = run(tmp_path / "runs", day=(NOW_S - time.time()) / DAY_S)
    twin = (DIRECTORY / "twin.yaml").read_text()
    assert "\n  outage: 250 ms\n" in twin
    (folder / "environment.yaml").write_text(twin)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "twin.yaml").write_text(twin.replace("outage: 250 ms", f"outage: {outage}"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutover.feature").write_text(
        f"@DEP-2.1\nFeature: A release is cut over\n  Scenario: {SCENARIO}\n"
        + "".join(f"    {sentence.capitalize()}\n" for sentence in SENTENCES)
    )

    told = CliRunner().invoke(app, ["trace", "--runs", str(tmp_path / "runs"), "--features", str(tmp_path)])

    (line,) = [line for line in told.output.splitlines() if "DEP-2.1" in line]
    assert str(expected) in line
