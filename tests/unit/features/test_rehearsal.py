"""What a drill needs and a file does not offer is told before anything is touched, by the drill itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from drillbook import cli
from drillbook.domain.environment import Objectives
from drillbook.domain.fault_settings import FaultSettings
from drillbook.run import planning
from drillbook.run.environment import DIRECTORY, load
from features import rehearsal

TWIN = load(DIRECTORY / "twin.yaml")
DRILLS = {drill.title: drill for drill in planning.drills(DIRECTORY.parent / "features")}
BARE = replace(
    TWIN,
    releases=replace(TWIN.releases, overrides={}),
    **dict.fromkeys(("recovery", "faults", "migrations", "performance", "pipeline")),
)
RESILIENCE = {drill.feature for drill in DRILLS.values() if "resilience" in drill.tags}
RECOVERIES = {drill.feature for drill in DRILLS.values() if "recovery" in drill.tags}


def lacking(environment):
    """What is lacking, by feature."""
    found: dict[str, set[str]] = {}
    for title, reasons in rehearsal.lacking(environment).items():
        found.setdefault(DRILLS[title].feature, set()).update(reasons)
    return found


def test_the_twin_offers_all_that_drills_need():
    assert rehearsal.lacking(TWIN) == {}


def test_what_a_file_has_to_say_is_enough_for_good_releases_and_for_the_gate_alone():
    unmade = rehearsal.lacking(BARE)
    made = {(drill.feature, drill.scenario) for title, drill in DRILLS.items() if title not in unmade}
    assert made == {
        ("cutover", "A good release replaces the live one"),
        ("rollback", "An operator takes back a release that was live for a while"),
        ("update_in_place", "An update rolls out under load, and is rolled back"),
        ("canary", "A release that is no worse is promoted in steps"),
        ("canary", "A canary that is the live release itself is not aborted"),
        ("canary", "A canary that nobody uses is never promoted"),
        ("gate", "A run that passed lets its release through"),
        ("gate", "Any other run keeps the release back"),
    }
    assert all(re.search(r"see |name |needs |make ", reason) for reasons in unmade.values() for reason in reasons)


def recovering(**changes):
    return replace(TWIN, recovery=replace(TWIN.recovery, **changes))


def proving(**changes):
    return replace(TWIN, migrations=replace(TWIN.migrations, **changes))


PRIMARY = TWIN.primary.name
OF_WHOLE_REGIONS = {"region_lost"}
OF_BACKUPS = {"backup_schedule", "backup_proof", "backup_before_release"}


@pytest.mark.parametrize(
    ("environment", "unmade", "says"),
    [
        (replace(TWIN, faults=None), RESILIENCE, "needs faults, which"),
        (
            replace(TWIN, regions=TWIN.regions | {PRIMARY: replace(TWIN.primary, resilience_kubeconfig=None)}),
            RESILIENCE,
            f"needs regions.{PRIMARY}.resilience_kubeconfig, which",
        ),
        (replace(TWIN, faults=FaultSettings()), RESILIENCE - {"pod_killed"}, "needs faults.dns, which"),
        (replace(TWIN, recovery=None), RECOVERIES, "see recovery"),
        (recovering(losses=("servers", "table")), OF_WHOLE_REGIONS, "see recovery.losses"),
        (recovering(layers=None), OF_WHOLE_REGIONS, "see recovery.layers"),
        (recovering(channels={}), {"communication"}, "see recovery.communication.channels"),
        (recovering(backup_job=""), OF_BACKUPS, "see recovery.backups"),
        (recovering(written=""), {"backup_proof", "backup_before_release"}, "see recovery.backups.written"),
        (recovering(files=None), {"state_in_other_region"}, "see recovery.files and recovery.secrets"),
        (replace(TWIN, migrations=None), {"migrations", "migration", "backup_before_release"}, "see migrations.proof"),
        (proving(proof=replace(TWIN.migrations.proof, progress="")), {"migration"}, "see migrations.proof.progress"),
        (replace(TWIN, performance=None), {"ramp", "spike", "soak", "capacity", "workers"}, "see performance.most"),
        (
            replace(TWIN, performance=replace(TWIN.performance, most_hz=110.0)),
            {"ramp", "spike", "workers"},
            "performance.most allows",
        ),
        (
            replace(TWIN, performance=replace(TWIN.performance, workers=None)), {"workers"}, "see performance.workers",
        ),
        (replace(TWIN, pipeline=None), {"pipeline"}, "name its .gitlab-ci.yml"),
        (replace(TWIN, objectives=Objectives(latency_s=0.5)), {"cutover"}, "make objectives.latency 0.3 s or less"),
        (replace(TWIN, objectives=Objectives(latency_s=0.25)), set(), ""),
        (
            replace(TWIN, releases=replace(TWIN.releases, overrides={})),
            {"cutover", "rollback", "canary"},
            "has no release that fails 10 % of requests; name one under releases.overrides",
        ),
    ],
)  # fmt: skip
def test_every_drill_that_needs_what_is_left_out_is_named_with_what_to_add(environment, unmade, says):
    found = lacking(environment)
    assert {*found} >= unmade
    assert any(says in reason for reasons in found.values() for reason in reasons) or not unmade


@pytest.fixture
def planned(tmp_path):
    """`drillbook plan` in the twin's environment with a change."""

    def plan(change, *options):
        text = (DIRECTORY / "twin.yaml").read_text().replace("../", f"{DIRECTORY.parent}/")
        assert re.search(change[0], text)
        (tmp_path / "twin.yaml").write_text(re.sub(*change, text))
        return CliRunner().invoke(cli.app, ["plan", f"--environment={tmp_path / 'twin.yaml'}", *options])

    return plan


def test_a_plan_marks_the_drills_that_cannot_be_made_and_ends_as_their_run_would(planned):
    done = planned(("answers queries wrongly: {", "answers nobody: {"), "--only=cutover")
    assert done.exit_code == 75
    lines = done.stdout.splitlines()
    (marked,) = [number for number, line in enumerate(lines) if "cannot be made" in line]
    assert lines[marked - 1].startswith("  cutover: A release that fails its validation never takes traffic")
    assert "twin has no release that answers queries wrongly; name one under releases.overrides" in lines[marked]
    assert "1 of 2 drills cannot be made: verify would end with 75 at best, and no gate opens" in done.stderr
    assert planned(("answers queries wrongly: {", "answers nobody: {"), "--only=cutover,offered").exit_code == 0


def test_what_is_left_when_only_the_offered_is_asked_for_can_be_made():
    chosen = planning.chosen(DRILLS.values(), BARE, ["offered"])
    assert {drill.feature for drill in chosen} == {"cutover", "rollback", "gate"}
    assert not {drill.title for drill in chosen} & {*rehearsal.lacking(BARE)}


def test_a_plan_of_what_can_all_be_made_marks_nothing(planned):
    done = planned(("latency: 300 ms", "latency: 250 ms"), "--only=cutover")
    assert done.exit_code == 0
    assert "cannot be made" not in done.output
