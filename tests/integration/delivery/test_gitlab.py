"""Pipelines that are run for real: what lets a release through, and what keeps it back."""

from __future__ import annotations

import pytest

from tests.integration.delivery.programs import PROJECT, record

pytestmark = pytest.mark.slow

# As somebody else's project has it; the component form is the one that GitLab's documentation gives.
CONSUMER = """
stages: [verify, gate, production]
include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/release-gate@$CI_COMMIT_SHA
    inputs:
      environment: twin
      release: 1.1.0
      image: debian:12
      tags: [near-staging]
      promote: scripts/promote candidate 1.1.0
"""


@pytest.mark.parametrize(
    ("exit_code", "left", "says"),
    [
        pytest.param(1, record("FAIL"), "", id="FAIL"),
        pytest.param(75, record("INCONCLUSIVE"), "", id="INCONCLUSIVE"),
        pytest.param(2, None, "", id="refused"),
        pytest.param(3, None, "", id="harness error"),
        pytest.param(3, record(), "", id="harness error after a PASS"),
        pytest.param(0, None, "gate closed", id="no verdict file"),
        pytest.param(0, record(None), "it died, or has not ended yet", id="a run that died"),
        pytest.param(0, record("FAIL"), "is FAIL", id="FAIL behind exit code 0"),
        pytest.param(0, record("INCONCLUSIVE"), "is INCONCLUSIVE", id="INCONCLUSIVE behind exit code 0"),
        pytest.param(0, record(environment={"name": "other"}), "about the environment 'other'", id="other place"),
        pytest.param(0, record(released=["1.0.0"]), "it let 1.0.0 stay", id="other release"),
        pytest.param(0, record(age_s=90_000), "h ago, and 24 h are allowed", id="stale"),
        pytest.param(0, record(age_s=3_600), "before what it has to be about", id="before this pipeline"),
    ],
)
def test_what_is_no_pass_keeps_a_release_back(project, exit_code, left, says) -> None:
    made = project(CONSUMER)
    made.programs.drills_end(exit_code, left)
    ended = made.run("--manual", "release-gate:approve")
    assert ended.exit_code != 0, ended.output
    assert says in ended.output
    assert made.programs.called("drillbook verify"), ended.output
    assert bool(made.programs.called("drillbook gate")) is (exit_code == 0)
    assert made.programs.called("drillbook recover"), "what a lost runner left is put back, however the drill ended"
    assert not made.programs.called("promote"), ended.output


def test_a_pass_that_a_person_approves_is_promoted(project) -> None:
    made = project(CONSUMER)
    made.programs.drills_end(0, record())
    waiting = made.run()
    assert "release-gate:approve is when:manual, its needed by release-gate:promote" in waiting.output
    assert not made.programs.called("promote"), "nobody has approved it yet"
    made.programs.drills_end(0, record())
    ended = made.run("--manual", "release-gate:approve")
    assert ended.exit_code == 0, ended.output
    assert made.programs.called("promote") == ["promote candidate 1.1.0"], ended.output
    assert len(made.programs.called("drillbook gate")) == 2, "it is asked again when the approval has come"


def test_an_environment_that_is_named_by_its_file_is_promoted_on_its_pass(project) -> None:
    made = project(CONSUMER.replace("environment: twin", "environment: environments/twin.yaml"))
    made.programs.drills_end(0, record())
    ended = made.run("--manual", "release-gate:approve")
    assert ended.exit_code == 0, ended.output
    assert made.programs.called("drillbook verify --environment environments/twin.yaml"), ended.output
    assert made.programs.called("promote") == ["promote candidate 1.1.0"], ended.output


def test_the_form_for_protected_environments_waits_as_well(project) -> None:
    made = project(f"{CONSUMER}      approval: protected-environment\n")
    made.programs.drills_end(0, record())
    waiting = made.run()
    assert waiting.exit_code == 0, waiting.output
    assert made.programs.called("drillbook gate"), waiting.output
    assert not made.programs.called("promote"), waiting.output
    made.programs.drills_end(0, record())
    ended = made.run("--manual", "release-gate:promote")
    assert made.programs.called("promote"), ended.output
    assert not ended.result("release-gate:approve")


@pytest.fixture
def own(project):
    """This project's own pipeline."""
    return project((PROJECT / ".gitlab-ci.yml").read_text(encoding="utf-8"))


def test_our_own_pipeline_promotes_what_passed(own) -> None:
    own.programs.drills_end(0, record())
    ended = own.run("--manual", "release-gate:approve")
    assert ended.exit_code == 0, ended.output
    for call in ("make lint", "make unit PYTHON=python3.11", "make test", "ruff check --select S", "gitleaks", "trivy"):
        assert own.programs.called(call), call
    assert len(own.programs.called("promote ")) == 1


def test_our_own_pipeline_keeps_back_what_failed(own) -> None:
    own.programs.drills_end(1, record("FAIL"))
    ended = own.run("--manual", "release-gate:approve")
    assert ended.exit_code != 0, ended.output
    assert own.programs.called("publish-image")
    assert not own.programs.called("promote ")


@pytest.mark.parametrize("scanner", ["gitleaks", "trivy", "pip-audit"])
def test_our_own_pipeline_drills_nothing_that_a_scanner_refuses(own, scanner) -> None:
    own.programs.write(own.programs.folder / scanner, "exit 1")
    own.programs.drills_end(0, record())
    ended = own.run("--manual", "release-gate:approve")
    assert ended.exit_code != 0, ended.output
    assert own.programs.called(scanner)
    assert not own.programs.called("drillbook verify")
    assert not own.programs.called("promote ")


def test_a_verdict_of_the_tests_own_drills_is_none_of_the_gates(own) -> None:
    own.programs.make_test_leaves(record())
    own.programs.drills_end(0, None)
    ended = own.run("--manual", "release-gate:approve")
    assert ended.result("release-gate") == "FAIL", ended.output
    assert "gate closed" in ended.output
    assert not own.programs.called("promote ")


@pytest.mark.parametrize(
    ("exit_code", "left", "result"),
    [
        pytest.param(0, record(), "PASS", id="PASS"),
        pytest.param(75, record("INCONCLUSIVE"), "WARN", id="INCONCLUSIVE is a warning"),
        pytest.param(1, record("FAIL"), "FAIL", id="FAIL"),
        pytest.param(3, None, "FAIL", id="harness error"),
    ],
)
def test_a_night_warns_of_what_nobody_could_tell_and_fails_on_the_rest(own, exit_code, left, result) -> None:
    own.programs.drills_end(exit_code, left)
    ended = own.run(CI_PIPELINE_SOURCE="schedule", DRILLBOOK_EVIDENCE_BUCKET="evidence", DRILLBOOK_WEBHOOK_FILE="/x")
    assert ended.result("nightly") == result, ended.output
    assert own.programs.called("drillbook verify")
    assert own.programs.called("drillbook recover"), ended.output
    assert own.programs.called("drillbook archive latest --runs reports/runs --bucket evidence --days 400")
    assert own.programs.called("drillbook notify")
    assert not own.programs.called("drillbook gate"), "a night lets nothing through"
    assert not own.programs.called("promote ")
