"""The scenarios about the pipeline, run as anybody runs them; they need no platform, and can be seen to fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from drillbook.domain.verdict import Verdict
from features.rejudge import judge

PROJECT = Path(__file__).resolve().parents[3]
_RUNS_WITHIN_S = 120


@pytest.fixture
def verify(tmp_path):
    """Runs the inspections of the twin's environment with another pipeline; answers the exit code and the run."""

    def run(pipeline: str | None, only: str = "pipeline") -> tuple[int, Path]:
        text = (PROJECT / "environments" / "twin.yaml").read_text(encoding="utf-8")
        named = f"pipeline: {tmp_path / 'ci.yml'}\n" if pipeline is not None else ""
        text = text.replace("pipeline: ../.gitlab-ci.yml\n", named).replace("../", f"{PROJECT}/")
        (tmp_path / "ci.yml").write_text(pipeline or "", encoding="utf-8")
        shutil.copytree(PROJECT / "templates", tmp_path / "templates")
        (tmp_path / "twin.yaml").write_text(text, encoding="utf-8")
        command = [
            sys.executable, "-m", "drillbook", "verify", "--environment", str(tmp_path / "twin.yaml"), "--only", only,
            "--runs", str(tmp_path / "runs"),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=_RUNS_WITHIN_S, check=False)
        [folder] = (tmp_path / "runs").iterdir() if (tmp_path / "runs").is_dir() else [tmp_path]
        assert (folder / "run.json").is_file(), done.stdout + done.stderr
        return done.returncode, folder

    return run


def verdicts(run: Path) -> dict[str, tuple[str, str]]:
    documents = [json.loads(path.read_text()) for path in run.glob("drills/*/drill.json")]
    return {document["scenario"]: (document["verdict"], document["error"] or "") for document in documents}


def own() -> str:
    return (PROJECT / ".gitlab-ci.yml").read_text(encoding="utf-8")


PERSON = "Production waits for a drill that passed and for a person"
SCANS = "Production waits for scans of code, secrets, dependencies, infrastructure and images"


def test_our_own_pipeline_and_gate_pass(tmp_path) -> None:
    command = [
        sys.executable, "-m", "drillbook", "verify", "--only", "pipeline,gate", "--runs", str(tmp_path / "runs"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=_RUNS_WITHIN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = (tmp_path / "runs").iterdir()
    assert {verdict for verdict, _ in verdicts(run).values()} == {"PASS"}
    assert len(verdicts(run)) == 13
    proved = {id_ for path in run.glob("drills/*/drill.json") for id_ in json.loads(path.read_text())["requirements"]}
    assert proved == {"DEP-1.1", "DEP-1.2", "DEP-1.3", "DEP-1.5", "ENV-2.4"}


def test_it_is_judged_again_from_what_it_has_read(verify) -> None:
    _, run = verify(own(), only="pipeline,gate")
    assert judge(run).agreement is Verdict.PASS, judge(run)
    kept = next(run.glob("drills/*for-scans*/pipeline.json"))
    kept.write_text(kept.read_text().replace("gitleaks git", "echo no scan"))
    assert judge(run).agreement is Verdict.FAIL
    kept.unlink()
    assert judge(run).agreement is Verdict.INCONCLUSIVE


def test_a_run_that_was_ended_is_gone_on_with_and_judged_again_as_one(tmp_path) -> None:
    command = [sys.executable, "-m", "drillbook", "verify", "--only", "pipeline,gate", "--runs", str(tmp_path)]

    def verify(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=PROJECT, capture_output=True, text=True, timeout=_RUNS_WITHIN_S, check=False
        )

    assert verify().returncode == 0
    [first] = tmp_path.iterdir()
    refused = verify("--resume", "latest")
    assert (refused.returncode, "it came to its end" in refused.stderr + refused.stdout) == (2, True), refused
    lost, begun = sorted((first / "drills").iterdir())[:2]
    shutil.rmtree(lost)
    (begun / "drill.json").unlink()
    record = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps({**record, "verdict": "INCONCLUSIVE", "interrupted": True}))
    resumed = verify("--resume", "latest")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "verdict: PASS (13 of 13 drills ran)" in resumed.stdout
    [second] = set(tmp_path.iterdir()) - {first}
    assert len(verdicts(second)) == 13
    continues = json.loads((second / "run.json").read_text())["continues"]
    assert (continues["run_id"], continues["again"]) == (first.name, [begun.name])
    assert f"goes on with {first.name}" in (second / "report.html").read_text()
    assert judge(second).agreement is Verdict.PASS, judge(second)


class Hook(BaseHTTPRequestHandler):
    """A channel's webhook; `status` is what it answers, and `told` what it was sent."""

    status = 200
    told: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.parametrize("status", [200, 500])
def test_people_are_told_how_it_ended_and_that_they_were_not_changes_nothing(tmp_path, monkeypatch, status) -> None:
    hook = type("Answers", (Hook,), {"status": status, "told": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), hook)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    monkeypatch.setenv("DRILLBOOK_WEBHOOK", f"http://127.0.0.1:{server.server_port}/services/secret")
    monkeypatch.delenv("DRILLBOOK_GITLAB_TOKEN", raising=False)
    command = [
        sys.executable, "-m", "drillbook", "verify", "--only", "gate", "--notify", "--runs", str(tmp_path / "runs"),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=_RUNS_WITHIN_S, check=False)
    finally:
        server.shutdown()
        server.server_close()
        serving.join(5)
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = (tmp_path / "runs").iterdir()
    [text] = hook.told
    assert f"*PASS: twin, {run.name}*" in text
    assert ("told: webhook at 127.0.0.1" in done.stdout) == (status == 200)
    assert ("it answered 500" in done.stderr) == (status == 500)


def test_a_gate_that_was_asked_about_another_run_is_noticed(verify) -> None:
    _, run = verify(own(), only="gate")
    kept = next(run.glob("drills/*lets-its*/gate/passed/run.json"))
    kept.write_text(kept.read_text().replace('"PASS"', '"FAIL"'))
    assert judge(run).agreement is Verdict.FAIL


def test_a_scan_that_is_taken_away_and_one_that_is_waved_through_fail(verify) -> None:
    pipeline = own().replace("gitleaks git", "echo gitleaks git").replace("--disable-pip", "--disable-pip || true #")
    code, run = verify(pipeline)
    assert code == 1
    verdict, why = verdicts(run)[SCANS]
    assert verdict == "FAIL"
    assert "waits for no scan of secrets" in why
    assert "waits for no scan of dependencies" in why
    assert verdicts(run)[PERSON][0] == "PASS"


def test_what_a_pipeline_includes_from_elsewhere_may_be_anything(verify) -> None:
    code, run = verify(own().replace("include:\n", "include:\n  - remote: https://example.com/more.yml\n"))
    assert code == 75
    assert {verdict for verdict, _ in verdicts(run).values()} == {"INCONCLUSIVE"}
    assert "https://example.com/more.yml was not seen" in verdicts(run)[SCANS][1]


def test_an_environment_that_names_no_pipeline_proves_nothing_about_one(verify) -> None:
    code, run = verify(None)
    assert code == 75
    assert "not proved here: twin names no pipeline" in verdicts(run)[PERSON][1]


@pytest.mark.parametrize(("named", "chosen"), [("pipeline: ci.yml\n", 4), ("", 0)])
def test_scenarios_about_a_pipeline_are_left_out_where_none_is_named(tmp_path, named, chosen) -> None:
    text = (PROJECT / "environments" / "twin.yaml").read_text(encoding="utf-8")
    environment = tmp_path / "twin.yaml"
    environment.write_text(text.replace("pipeline: ../.gitlab-ci.yml\n", named).replace("../", f"{PROJECT}/"))
    command = [
        sys.executable, "-m", "pytest", "features", f"--environment={environment}", "--setup-plan", "-q",
        "-k", "production_waits or staging_is_verified",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=_RUNS_WITHIN_S, check=False)
    assert done.stdout.count("fixtures used") == chosen, done.stdout + done.stderr
