"""The gate opens on a PASS that is about this release, and on nothing else."""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from drillbook import cli
from drillbook.afterwards import gate
from drillbook.domain.verdict import Verdict

NOW_S = 1_795_000_000.0


def record(verdict="PASS", **changes):
    code = {str(known): known.exit_code for known in Verdict}.get(str(verdict), 0)
    return {
        "run_id": "20261123T081500Z-staging-0a1b", "environment": {"name": "staging"}, "started_s": NOW_S - 600,
        "finished_s": NOW_S - 60, "verdict": verdict, "exit_code": code, "requested": ["a drill"],
        "interrupted": False, "released": ["1.1.0"], **changes,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """Writes the verdict file of a run, answers its folder."""
    folder = tmp_path / "runs" / "20261123T081500Z-staging-0a1b"
    folder.mkdir(parents=True)

    def write(content):
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        (folder / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    write.folder = folder
    return write


def ruled(folder, demands=None):
    return gate.decide(folder, demands or gate.Demands(), now_s=NOW_S)


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 75)])
def test_only_a_pass_opens_it(run, verdict, code) -> None:
    ruling = ruled(run(record(verdict)))
    assert (ruling.exit_code, ruling.promotes) == (code, verdict == "PASS")
    assert ruling.text.endswith(f"is {verdict}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        ('{"verdict": "PASS"', "cannot be read as JSON"),
        ("[" * 200_000, "cannot be read as JSON"),
        ('["PASS"]', "holds no JSON object"),
        ('{"verdict": "FAIL", "exit_code": 0, "verdict": "PASS"}', "'verdict' stands there twice"),
        (" " * (5 * 1024 * 1024), "no verdict file is"),
        (record(verdict=None, exit_code=None), "has no verdict: it died, or has not ended yet"),
        (record("pass"), "'pass', which is none"),
        (record(verdict=["PASS"]), "which is none"),
        (record(verdict=True), "'True', which is none"),
        (record(exit_code=1), "PASS with the exit code 1"),
        (record("INCONCLUSIVE", exit_code=0), "INCONCLUSIVE with the exit code 0"),
        (record(exit_code=None), "PASS with the exit code None"),
        (record(exit_code=False), "PASS with the exit code False"),
        (record(exit_code="0"), "PASS with the exit code 0"),
        (record(interrupted=True), "PASS of a run that was interrupted"),
        (record(interrupted="no"), "PASS of a run that was interrupted"),
        (record(requested=[]), "asked for nothing"),
        (record(requested=["a drill", "another"], drilled=1), "PASS of a run that has drilled 1 of what it was asked"),
        (record(left_out="all else"), "PASS of a run that does not say what it left out"),
        (record(left_out=[1]), "PASS of a run that does not say what it left out"),
        (record(drilled=None), "PASS of a run that has drilled None"),
        (record(drilled=True), "PASS of a run that has drilled True"),
        (record(requested="a drill", drilled=1), "PASS of a run that has drilled 1"),
        (record(finished_s=None), "finished_s is null, which is no time"),
        (record(started_s="then"), 'started_s is "then", which is no time'),
        (record(finished_s=10**400), "which is no time"),
        (json.dumps(record(finished_s=math.nan)), "which is no time"),
    ],
)  # fmt: skip
def test_what_cannot_be_believed_keeps_it_closed(run, content, says) -> None:
    ruling = ruled(run(content))
    assert ruling.exit_code == 2
    assert says in ruling.text


def test_a_verdict_file_that_is_not_there_keeps_it_closed(run, tmp_path) -> None:
    assert "does not exist: the run left no verdict" in ruled(run.folder).text
    assert ruled(tmp_path / "nowhere").exit_code == 2
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps(record()))
    (run.folder / "run.json").symlink_to(elsewhere)
    ruling = ruled(run.folder)
    assert ruling.exit_code == 2
    assert "is no regular file" in ruling.text
    (run.folder / "run.json").unlink()
    os.mkfifo(run.folder / "run.json")
    assert ruled(run.folder).exit_code == 2


@pytest.mark.parametrize(
    ("demands", "says"),
    [
        (gate.Demands(environment="production"), "'staging', and 'production' is asked for"),
        (gate.Demands(release="1.2.0"), "it let 1.1.0 stay, and release '1.2.0' is asked for"),
        (gate.Demands(since_s=NOW_S), "it began 600 s before what it has to be about"),
        (gate.Demands(max_age_s=30), "it ended 0.0 h ago"),
    ],
)
def test_a_pass_about_something_else_keeps_it_closed(run, demands, says) -> None:
    ruling = ruled(run(record()), demands)
    assert ruling.exit_code == 2
    assert says in ruling.text


@pytest.mark.parametrize(("began_s", "opens"), [(NOW_S - 3500, True), (NOW_S - 3700, False)])
def test_a_run_that_goes_on_with_another_is_as_old_as_its_oldest_drill_may_be(run, began_s, opens) -> None:
    parts = record(started_s=began_s, continues={"run_id": "before"})
    ruling = ruled(run(parts), gate.Demands(max_age_s=3600))
    assert ruling.promotes is opens
    assert opens or "it goes on with a run that began 1.0 h ago, and 1 h are allowed" in ruling.text


@pytest.mark.parametrize("released", [None, "1.1.0", [], {"1.1.0": 1}])
def test_a_record_that_names_no_release_is_about_none(run, released) -> None:
    ruling = ruled(run(record(released=released)), gate.Demands(release="1.1.0"))
    assert ruling.exit_code == 2
    assert "it let none stay" in ruling.text


def test_a_pass_that_is_about_it_opens_it(run) -> None:
    demands = gate.Demands(environment="staging", release="1.1.0", since_s=NOW_S - 700, max_age_s=3600)
    assert ruled(run(record()), demands).promotes


def test_a_pass_about_all_that_was_asked_for_opens_it(run) -> None:
    assert ruled(run(record(requested=["a drill", "another"], drilled=2))).promotes
    assert ruled(run(record(requested=["a drill", "another"]))).promotes, "older runs do not say how much they drilled"


def test_what_was_not_drilled_is_said_where_it_opens(run) -> None:
    assert ruled(run(record(left_out=[]))).text.endswith("is PASS")
    opened = ruled(run(record(left_out=["A bad release", "Another\x1b"])))
    assert opened.promotes
    assert opened.text.endswith(r"is PASS; not drilled: A bad release; Another\x1b")
    many = ruled(run(record(left_out=[f"drill {number}" for number in range(12)]))).text
    assert many.endswith("drill 8; drill 9; and 2 more")


@pytest.mark.parametrize("changes", [{"finished_s": NOW_S + 400}, {"started_s": NOW_S - 10}])
def test_times_that_cannot_be_keep_it_closed(run, changes) -> None:
    ruling = ruled(run(record(**changes)))
    assert ruling.exit_code == 2
    assert "by its record it ran from" in ruling.text


def test_a_fail_stays_one_whatever_it_is_about(run) -> None:
    assert ruled(run(record("FAIL")), gate.Demands(environment="production")).exit_code == 1


def test_what_hides_in_a_record_is_shown(run) -> None:
    assert "\x1b" not in ruled(run(record("FAIL", run_id="\x1b[2Jrun"))).text


@pytest.fixture
def drillbook():
    def call(*arguments):
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)

    return call


def now(**changes):
    at_s = datetime.now(UTC).timestamp()
    return record(**{"started_s": at_s - 30, "finished_s": at_s - 5, **changes})


def test_the_command_says_why_and_ends_with_the_code(run, drillbook) -> None:
    runs = run(now()).parent
    opened = drillbook("gate", "latest", "--runs", runs, "--environment=staging", "--since=2026-01-01T00:00:00Z")
    assert (opened.exit_code, opened.stdout) == (0, f"gate open: {run.folder.name} is PASS\n")
    (runs / "20991123T081500Z-staging-0a1b").mkdir()
    later = drillbook("gate", "latest", "--runs", runs)
    assert later.exit_code == 2, "a newer run without a verdict is not passed over"
    assert "does not exist" in later.stderr
    assert drillbook("gate", run.folder.name, "--runs", runs).exit_code == 0, "a run is named by its id as well"
    assert drillbook("gate", run(now(verdict="FAIL", exit_code=1))).exit_code == 1


@pytest.mark.parametrize("path", ["environments/staging.yaml", "/builds/shop/environments/staging.yaml"])
def test_an_environment_may_be_named_by_its_file_as_for_verify(run, drillbook, path) -> None:
    folder = run(now())
    assert drillbook("gate", folder, "--environment", path).exit_code == 0
    other = drillbook("gate", folder, "--environment", path.replace("staging", "production"))
    assert other.exit_code == 2
    assert "'staging', and 'production' is asked for" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["latest", "--runs", "nowhere"], "no run has left anything there"),
        (["latest", "--runs", "."], "there is no run in ."),
        (["nowhere"], "does not exist"),
        (["nowhere", "--since", "yesterday"], "Invalid isoformat string: 'yesterday'"),
        (["nowhere", "--since", "2026-11-23T08:15:00"], "has no zone"),
        (["nowhere", "--max-age", "nan"], "--max-age"),
    ],
)
def test_a_wrong_use_keeps_it_closed(drillbook, tmp_path, monkeypatch, arguments, says) -> None:
    monkeypatch.chdir(tmp_path)
    refused = drillbook("gate", *arguments)
    assert refused.exit_code == 2
    assert says in refused.stderr
