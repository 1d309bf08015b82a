"""`drillbook ledger` over folders of runs, whole and damaged."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from drillbook.cli import app

START_S = 1_795_000_000.0


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def write(runs, run="one", keys="ab", missing="", lost=()):
    """A run; `lost` holds what its drill measured of what was lost, by check, of which 1 is allowed."""
    folder, drill = runs / run, "cutover"
    load = folder / "drills" / drill / "load"
    load.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run_id": run, "started_s": START_S, "environment": {"name": "twin"}}))
    (load / "plan.json").write_text(json.dumps({"meter": {"rate_hz": 10}}))
    (load / "state.json").write_text(json.dumps({"phase": "done"}))
    times = {name: [START_S] * len(keys) for name in ("due_s", "sent_s", "done_s")}
    pq.write_table(
        pa.table({"key": list(keys), "state": ["acknowledged"] * len(keys), **times}), load / "ledger.parquet"
    )
    there = [key not in missing for key in keys]
    found = {
        "key": list(keys), "error": [""] * len(keys), "equal": there, "copies": [int(it) for it in there],
    }  # fmt: skip
    pq.write_table(pa.table(found), load / "readback.parquet")
    checks = [
        {
            "drill": drill, "verdict": "PASS", "reason": "",
            "objective": {"id": id_, "statement": "s", "direction": "at_most", "limit": 1, "unit": "s"},
            "measurement": {
                "name": "n", "interval": {"low": found, "high": found}, "unit": "s", "samples": 1, "source": "ledger",
                "window": {"start_s": 0, "end_s": 1},
            },
        }
        for id_, found in dict(lost).items()
    ]  # fmt: skip
    (folder / "checks.jsonl").write_text("".join(json.dumps(check) + "\n" for check in checks))
    return load


def told(runs, *options):
    done = CliRunner().invoke(app, ["ledger", "--runs", str(runs), *options])
    return done.exit_code, done.output


@pytest.mark.parametrize(("environment", "counted"), [("twin", 1), ("environments/twin.yaml", 1), ("x/other.yaml", 0)])
def test_runs_in_an_environment_are_chosen_by_its_name_or_its_file(runs, environment, counted):
    write(runs)
    assert f"in {counted} loads of {counted} runs" in told(runs, "--environment", environment)[1]


def test_a_run_is_of_the_night_in_which_it_went_on_with_another(runs):
    write(runs, run="20261118T120000Z-twin-aaaa", missing="b")
    path = runs / "20261118T120000Z-twin-aaaa" / "run.json"
    document = {**json.loads(path.read_text()), "continues": {"run_id": "earlier"}, "started_s": START_S - 36_000}
    path.write_text(json.dumps(document))
    code, output = told(runs, "--since", "2026-11-18T10:00:00Z")
    assert "1 lost" in output
    assert code == 1
    assert "in 0 loads of 0 runs" in told(runs, "--since", "2026-11-18T13:00:00Z")[1]


def test_all_drills_of_all_runs_are_added_up(runs):
    write(runs)
    write(runs, run="two", keys="cde")
    code, output = told(runs)
    assert code == 0
    assert "5 writes were acknowledged in 2 loads of 2 runs: 5 present, 0 lost" in output
    assert "PASS: none unaccounted for" in output


def write_static(runs, run="files"):
    folder = runs / run / "drills" / "pipeline"
    (folder / "load").mkdir(parents=True)
    (runs / run / "run.json").write_text(json.dumps({"run_id": run, "started_s": START_S}))
    (folder / "drill.json").write_text(json.dumps({"id": "pipeline", "scenario": "Pipeline", "tags": ["static"]}))
    return folder


def test_a_scenario_about_files_has_no_users_whose_writes_are_missed(runs):
    write(runs)
    write_static(runs)
    code, output = told(runs)
    assert code == 0
    assert "2 writes were acknowledged in 1 loads of 2 runs" in output


@pytest.mark.parametrize(
    ("seen", "raised", "left", "code"),
    [
        ({"window": None}, None, "", 0),
        ({"window": [1.0, 2.0]}, None, "", 75),
        ({"window": None}, "NotReady: release 1.0.0 is not live", "", 75),
        ({"window": None}, None, "newer/load/plan.json", 75),
        ({}, None, "", 75),
    ],
    ids=["nobody was there", "users were", "it was cut short", "somebody left a record", "it does not say"],
)
def test_a_drill_about_nobody_has_no_writes_that_are_missed(runs, seen, raised, left, code):
    write(runs)
    folder = runs / "nobody" / "drills" / "canary"
    (folder / "load").mkdir(parents=True)
    (runs / "nobody" / "run.json").write_text(json.dumps({"run_id": "nobody", "started_s": START_S}))
    document = {"id": "canary", "scenario": "Canary", "tags": ["nightly"], "seen": seen, "raised": raised}
    (folder / "drill.json").write_text(json.dumps(document))
    if left:
        (folder / left).parent.mkdir(parents=True)
        (folder / left).write_text("{}")
    assert told(runs)[0] == code


def test_a_drill_that_had_users_is_missed_whatever_it_says_of_itself(runs):
    write(runs)
    folder = write_static(runs)
    (folder / "load" / "plan.json").write_text(json.dumps({"meter": {"rate_hz": 10}}))
    assert told(runs)[0] == 75
    (folder / "load" / "plan.json").unlink()
    (folder / "drill.json").unlink()
    assert told(runs)[0] == 75


def test_what_users_beside_the_load_were_told_counts_as_well(runs):
    write(runs)
    drill = runs / "one" / "drills" / "cutover"
    for place in ("steps/01", "steps/02", "newer"):
        shutil.copytree(drill / "load", drill / place / "load")
    code, output = told(runs)
    assert (code, "8 writes were acknowledged in 4 loads" in output) == (0, True), output
    (drill / "steps/02/load/readback.parquet").unlink()
    code, output = told(runs)
    assert (code, "unaccounted for: one, cutover, steps/02: " in output) == (75, True), output


@pytest.mark.parametrize("gone", ["the load", "the drill"])
def test_a_drill_that_left_nothing_is_missed(runs, gone):
    write(runs)
    drills = runs / "one" / "drills"
    run = runs / "one" / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "requested": ["Cutover", "Another"]}))
    (drills / "another").mkdir()
    (drills / "cutover" / "drill.json").write_text(json.dumps({"id": "cutover", "scenario": "Cutover"}))
    document = {"id": "another", "scenario": "Another", "seen": {"window": [1.0, 2.0]}, "raised": None}
    (drills / "another" / "drill.json").write_text(json.dumps(document))
    if gone == "the drill":
        shutil.rmtree(drills / "another")
    code, output = told(runs)
    assert (code, "left no record" in output) == (75, True), output


@pytest.mark.parametrize(("scenario", "goes_on", "code"), [
    ("Another", True, 0), ("Another", False, 75), ("Staging is verified every night", False, 0),
])  # fmt: skip
def test_what_another_run_went_on_with_or_nobody_writes_in_is_not_missed(runs, scenario, goes_on, code):
    write(runs)
    run = runs / "one" / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "requested": ["Cutover", scenario]}))
    (runs / "one/drills/cutover/drill.json").write_text(json.dumps({"id": "cutover", "scenario": "Cutover"}))
    if goes_on:
        write(runs, run="two", keys="cd")
        later = runs / "two" / "run.json"
        later.write_text(json.dumps({**json.loads(later.read_text()), "continues": {"run_id": "one"}}))
    assert told(runs)[0] == code


def test_a_run_that_does_not_say_where_it_was_may_be_one_of_them(runs):
    write(runs, missing="a")
    (runs / "one" / "run.json").write_text('{"run_id"')
    assert told(runs, "--environment", "twin")[0] == 1


def test_what_is_lost_fails_unless_a_recovery_point_allowed_it(runs):
    write(runs, missing="a")
    code, output = told(runs)
    assert (code, "broken: one, cutover: 1 writes are lost" in output) == (1, True)


@pytest.mark.parametrize(
    ("lost", "code"),
    [
        ({"recovery.point": 0.5, "recovery.point_at_fence": 0.5, "recovery.lost_since_fence": 0}, 0),
        ({"recovery.point": 2.0, "recovery.point_at_fence": 0.5, "recovery.lost_since_fence": 0}, 1),
        ({"recovery.point": 0.5, "recovery.point_at_fence": 2.0, "recovery.lost_since_fence": 0}, 1),
        ({"recovery.point": 0.5, "recovery.point_at_fence": 0.5, "recovery.lost_since_fence": 2}, 1),
        ({"recovery.point": 0.5, "recovery.lost_since_restore": 0}, 0),
        ({"recovery.point": 0.5, "recovery.lost_since_restore": 2}, 1),
        ({"recovery.point": 0.5}, 1),
        ({"recovery.lost_since_fence": 0}, 1),
    ],
)
def test_a_loss_is_allowed_only_where_all_that_the_drill_lost_was_judged_and_within_what_it_may_lose(runs, lost, code):
    write(runs, missing="a", lost=lost)
    assert told(runs)[0] == code


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda load: (load / "readback.parquet").unlink(), "told nothing of 2 acknowledged writes"),
        (lambda load: (load / "ledger.parquet").unlink(), "its ledger has no write"),
        (lambda load: (load / "ledger.parquet").write_bytes(b"PAR1 torn"), "its ledger cannot be read"),
        (lambda load: (load / "plan.json").unlink(), "its ledger cannot be read"),
        (lambda load: (load / "state.json").write_text('{"phase": "running"}'), "ended in phase 'running'"),
    ],
)
def test_a_ledger_that_is_not_whole_leaves_its_writes_unaccounted_for(runs, damage, why):
    damage(write(runs))
    write(runs, run="two")
    code, output = told(runs)
    assert code == 75
    assert why in " ".join(output.split())
    assert "not all is accounted for" in output


def test_only_the_night_counts_and_a_night_without_a_write_shows_nothing(runs):
    write(runs, missing="a")
    code, output = told(runs, "--since", "2027-01-01T00:00:00Z")
    assert (code, "0 writes were acknowledged in 0 loads of 0 runs" in output) == (75, True)
    assert told(runs, "--since", "2026-01-01T00:00:00Z")[0] == 1


def test_a_folder_that_is_not_there_and_a_time_that_is_none_are_refused(runs):
    assert told(runs)[0] == 2
    runs.mkdir()
    assert told(runs, "--since", "yesterday")[0] == 2
