"""A plan has every scenario that would be drilled, with how far it reaches, and everything that says what it does."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pytest_bdd.feature import get_feature
from typer.testing import CliRunner

from drillbook import cli
from drillbook.domain.migration.settings import Migrations, ProofSettings, Table
from drillbook.domain.performance import Performance, WorkerSettings
from drillbook.run import blast_radius, planning
from drillbook.run.environment import DIRECTORY, load

TWIN = load(DIRECTORY / "twin.yaml")

NESTED = """
@DEP-1.1
Feature: Nested
  Scenario: Plain
    Given nothing
  Rule: What is in a rule is drilled as well
    @destructive @pods-50
    Scenario: Inside a rule
      Given nothing
  Scenario Outline: Of examples
    Given <what>
    @DEP-2.2
    Examples:
      | what |
      | one  |
      | two  |
    @destructive
    Examples: the hard ones
      | what  |
      | three |
"""


@pytest.fixture
def project(tmp_path):
    """Features and experiments, and an environment with a chart of its own."""
    for name in ("features", "experiments", "chart/templates"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "features" / "nested.feature").write_text(NESTED)
    (tmp_path / "features" / "steps.py").write_text("steps = 1")
    (tmp_path / "experiments" / "cutover.yaml").write_text("method: []")
    (tmp_path / "chart" / "templates" / "deployment.yaml").write_text("kind: Deployment")
    (tmp_path / "values.yaml").write_text("replicas: 2")
    (tmp_path / "adapter.py").write_text("class Workload: ...")
    return tmp_path


@pytest.fixture
def environment(project):
    return replace(
        TWIN,
        releases=replace(TWIN.releases, chart=project / "chart", values=(project / "values.yaml",)),
        workload=replace(TWIN.workload, adapter=f"{project / 'adapter.py'}:Workload"),
    )


def written(project, feature):
    (project / "features" / "nested.feature").write_text(feature)
    return planning.drills(project / "features")


def test_what_pytest_would_drill_is_planned(project):
    drills = planning.drills(project / "features")
    collected = [("nested", name) for name in get_feature(str(project / "features"), "nested.feature").scenarios]
    assert len(collected) == 3
    assert planning.unplanned(drills, collected) == []
    assert planning.unplanned(drills, [*collected, ("nested", "Nobody's")]) == ["nested: Nobody's"]
    assert planning.unplanned(drills, [("other", "Plain")]) == ["other: Plain"]


def test_tags_are_handed_down_to_rules_and_examples(project):
    drills = planning.drills(project / "features")
    assert [(drill.scenario, "destructive" in drill.tags, drill.pods_share) for drill in drills] == [
        ("Plain", False, 0.0),
        ("Inside a rule", True, 0.5),
        ("Of examples", False, 0.0),
        ("Of examples", False, 0.0),
        ("Of examples", True, 0.0),
    ]
    assert [drill.requirements for drill in drills[2:]] == [("DEP-1.1", "DEP-2.2")] * 2 + [("DEP-1.1",)]


def test_what_else_a_drill_changes_is_planned(project, environment):
    plain = planning.run_plan(environment, written(project, NESTED), project / "features")
    assert (plain.regions, plain.namespaces) == (("us-east-1",), ("analytics",))
    tagged = NESTED.replace("@DEP-1.1", "@region-primary @region-secondary @namespace-data")
    reaching = planning.run_plan(environment, written(project, tagged), project / "features")
    assert (reaching.regions, reaching.namespaces) == (("us-east-1", "us-west-2"), ("analytics", "data"))


def test_a_recovery_is_offered_where_the_environment_has_one_or_by_its_name(project, environment):
    drills = written(project, NESTED.replace("@DEP-1.1", "@recovery"))
    tagged = [drill for drill in drills if "recovery" in drill.tags]
    assert tagged
    without = replace(environment, recovery=None)
    having = replace(environment, recovery=SimpleNamespace(namespace="data", losses=("server",)))
    assert planning.chosen(drills, without, []) == [drill for drill in drills if drill not in tagged]
    assert planning.chosen(drills, without, ["nested"]) == drills
    assert planning.chosen(drills, having, []) == drills
    for tag, offered in (("loss-server", True), ("loss-server @loss-cut", False)):
        lossy = written(project, NESTED.replace("@DEP-1.1", f"@recovery @{tag}"))
        assert (planning.chosen(lossy, having, []) == lossy) is offered
        assert planning.chosen(lossy, having, ["nested"]) == lossy
    drills = written(project, NESTED.replace("@DEP-1.1", "@recovery @told"))
    telling = replace(environment, recovery=SimpleNamespace(losses=(), channels={"incident": "file:x"}))
    silent = replace(environment, recovery=SimpleNamespace(losses=(), channels={}))
    assert (planning.chosen(drills, telling, []), planning.chosen(drills, silent, [])) == (drills, [])
    drills = written(project, NESTED.replace("@DEP-1.1", "@recovery @backups"))
    kept = replace(environment, recovery=SimpleNamespace(losses=(), backup_job="backup-full"))
    bare = replace(environment, recovery=SimpleNamespace(losses=(), backup_job=""))
    assert (planning.chosen(drills, kept, []), planning.chosen(drills, bare, [])) == (drills, [])
    drills = written(project, NESTED.replace("@DEP-1.1", "@recovery"))
    assert planning.run_plan(having, drills, project / "features").namespaces == ("analytics", "data")
    assert planning.run_plan(without, drills, project / "features").namespaces == ("analytics",)


FLAWED = """
Feature: Releases
  Background:
    Given release 1.0.0 is live and healthy, and the other slot is empty
  Scenario: Good
    When release 1.1.0 is cut over
  Scenario: Bad at once
    When a release that answers queries wrongly is cut over
  Scenario Outline: Bad in use
    When a release that <flaw> under load is cut over
    Examples:
      | flaw                   |
      | fails 10 % of requests |
      | takes 0.5 s longer     |
  @nightly
  Scenario: Bad as a canary
    When a release that fails 10 % of its first users' requests is tried as a canary
"""


def test_drills_of_bad_releases_that_there_are_none_of_are_left_out_where_only_what_is_offered_is_asked_for(
    project, environment
):
    drills = written(project, FLAWED)
    flaws = ["", "answers queries wrongly", "fails 10 % of requests", "takes 0.5 s longer"]
    assert [drill.flaw for drill in drills] == [*flaws, "fails 10 % of its first users' requests"]
    bare = replace(environment, releases=replace(environment.releases, overrides={"1.1.0": {"version": "2"}}))
    some = replace(environment, releases=replace(environment.releases, overrides={"takes 0.5 s longer": {}}))
    assert planning.chosen(drills, bare, []) == planning.chosen(drills, environment, ["offered"]) == drills[:4]
    assert planning.chosen(drills, bare, ["offered"]) == drills[:1]
    assert planning.chosen(drills, some, ["nested", "offered"]) == [drills[0], drills[3]]
    assert planning.chosen(drills, bare, ["nightly", "offered"]) == []
    assert planning.left_out(drills, bare, ["offered"], ["Good"]) == [drill.title for drill in drills[1:4]]
    assert planning.left_out(drills, bare, ["nightly", "offered"], []) == [drill.title for drill in drills]
    assert planning.left_out(drills, environment, ["nightly"], [drills[4].title]) == [it.title for it in drills[:4]]


def test_every_scenario_of_a_bad_release_is_known_as_one():
    drills = planning.drills(DIRECTORY.parent / "features")
    flaws = {drill.flaw for drill in drills if drill.flaw}
    offered = {name for name in TWIN.releases.overrides if not name.startswith("1.")}
    assert flaws == offered


def test_more_load_than_usual_is_given_where_the_environment_says_how_much_and_is_told(project, environment):
    drills = written(project, NESTED.replace("@DEP-1.1", "@performance @nightly"))
    loaded = [drill for drill in drills if "performance" in drill.tags]
    assert loaded
    silent = replace(environment, performance=None)
    allowing = replace(environment, performance=Performance(most_hz=700, longest_s=60))
    assert planning.chosen(drills, allowing, ["performance"]) == loaded
    assert planning.chosen(drills, silent, ["performance"]) == []
    assert planning.chosen(drills, allowing, []) == [drill for drill in drills if drill not in loaded]
    told = "up to 700 metered requests a second for up to 60 s at a time"
    assert any(told in line for line in blast_radius.changed(allowing, loaded))
    assert not any("700" in line for line in blast_radius.changed(allowing))
    with_workers = written(project, NESTED.replace("@DEP-1.1", "@performance @workers"))
    assert planning.chosen(with_workers, allowing, ["performance"]) == []
    placed = replace(environment, performance=Performance(most_hz=700, workers=WorkerSettings("load", "image")))
    found = planning.chosen(with_workers, placed, ["performance"])
    assert found
    assert planning.run_plan(placed, found, project / "features").namespaces == ("analytics", "load")


@pytest.mark.parametrize(
    "tag",
    ["pods-nan", "pods-", "pods-101", "pods-0.5", "Pods-50", "destructive-", "Destructive", "region-all", "namespace-"],
)
def test_a_tag_that_would_hide_how_far_a_drill_reaches_is_refused(project, tag):
    with pytest.raises(planning.PlanError, match=f"@{tag}, which says how far it reaches"):
        written(project, NESTED.replace("@DEP-1.1", f"@{tag}"))


def test_a_feature_that_cannot_be_read_is_refused(project):
    with pytest.raises(planning.PlanError, match="is no feature that can be read"):
        written(project, f"Scenario: before any feature\n{NESTED}")
    (project / "features" / "nested.feature").write_bytes(b"\xff\xfe")
    with pytest.raises(planning.PlanError, match="is no feature that can be read"):
        planning.drills(project / "features")


TWICE = [
    ("plain.feature", "Feature: Other\n  Scenario: Plain\n    Given nothing\n", "Plain"),
    ("a.feature", "Feature: A\n  Rule: R\n    Scenario: Inside a rule\n      Given nothing\n", "Inside a rule"),
    ("a.feature", "Feature: A\n  Scenario: Of examples (two)\n    Given nothing\n", r"Of examples \(two\)"),
    ("a.feature", "Feature: A\n  Scenario: B\n    Given nothing\n  Scenario: B\n    Given nothing\n", "B"),
    (
        "a.feature",
        "Feature: A\n  Scenario Outline: B\n    Given <c>\n    Examples:\n      | c |\n      | 1 |\n      | 1 |\n",
        r"B \(1\)",
    ),
]
"""What a second file may have that makes two scenarios of one title; the first file is `NESTED`."""


@pytest.mark.parametrize(("file", "feature", "title"), TWICE)
def test_two_scenarios_of_one_title_are_refused(project, file, feature, title):
    (project / "features" / file).write_text(feature)
    with pytest.raises(planning.PlanError, match=f"two scenarios are called '{title}'.*{file}"):
        planning.drills(project / "features")


def test_scenarios_that_differ_in_their_examples_or_are_named_alike_but_for_a_sign_are_not(project):
    (project / "features" / "a.feature").write_text(
        "Feature: A\n  Scenario: Of examples\n    Given nothing\n  Scenario: plain\n    Given nothing\n"
    )
    titles = [drill.title for drill in planning.drills(project / "features")]
    assert titles[:2] == ["Of examples", "plain"]
    assert titles[-3:] == ["Of examples (one)", "Of examples (two)", "Of examples (three)"]


@pytest.mark.parametrize(
    "changed",
    [
        "features/nested.feature", "features/steps.py", "experiments/cutover.yaml", "chart/templates/deployment.yaml",
        "values.yaml", "adapter.py",
    ],
)  # fmt: skip
def test_an_approval_ends_with_any_change_of_what_drills_do(project, environment, changed):
    drills = planning.drills(project / "features")
    before = planning.run_plan(environment, drills, project / "features")
    assert planning.run_plan(environment, drills, project / "features") == before
    with (project / changed).open("a") as file:
        file.write("\n# changed\n")
    after = planning.run_plan(environment, drills, project / "features")
    assert after.sha256 != before.sha256
    assert replace(after, sources_sha256=before.sources_sha256) == before


def test_what_was_stopped_early_says_nothing_about_how_long_a_drill_takes(project, tmp_path):
    drills = planning.drills(project / "features")[:1]
    assert planning.expected_s(drills, tmp_path / "runs") == 60.0
    for run, (verdict, seconds) in enumerate([("PASS", 41), ("INCONCLUSIVE", 3)]):
        path = tmp_path / "runs" / f"{run}" / "drills" / "plain" / "drill.json"
        path.parent.mkdir(parents=True)
        path.write_text(
            json.dumps({"scenario": "Plain", "verdict": verdict, "started_s": 100, "finished_s": 100 + seconds})
        )
    assert planning.expected_s(drills, tmp_path / "runs") == 41.0


def test_a_plan_with_faults_says_which_are_made_for_how_long_and_which_are_not():
    faults = planning.chosen(planning.drills(DIRECTORY.parent / "features"), TWIN, ["resilience"])
    assert len(faults) == 28
    told = blast_radius.changed(TWIN, faults)
    assert "us-east-1: a node is drained: for at most 240 s" in told
    assert "us-east-1: the database's disk is filled: for at most 180 s" in told
    bare = blast_radius.changed(replace(TWIN, faults=None), faults)
    assert "us-east-1: a node is drained: not made, for want of faults.nodes and faults.evict" in bare
    assert not any("drained" in sentence for sentence in blast_radius.changed(TWIN))


def test_faults_are_drilled_only_where_they_are_asked_for():
    everything = planning.drills(DIRECTORY.parent / "features")
    unasked = planning.chosen(everything, TWIN, [])
    assert unasked
    assert not any("resilience" in drill.tags for drill in unasked)
    assert {drill.feature for drill in planning.chosen(everything, TWIN, ["pod_killed", "cutover"])} == {
        "pod_killed",
        "cutover",
    }


def test_a_migration_that_is_proved_is_told_and_part_of_what_is_approved(project, environment):
    of_migrations = [planning.Drill("migration", "It is proved", ("DEP-3.1",))]
    without = replace(environment, migrations=Migrations(project / "migrations", None))
    assert not [line for line in blast_radius.changed(without, of_migrations) if "rows as the feature says" in line]
    table = Table("events", ("key",), "key LIKE 's%'", "INSERT")
    proof = ProofSettings("dbname=x", "", ("go",), {}, table, "0001", "0002", "1.0.0", "1.1.0")
    scripts = project / "migrations"
    scripts.mkdir()
    (scripts / "0001.py").write_text("revision = '0001'")
    proved = replace(environment, migrations=Migrations(scripts, proof))
    (told,) = [line for line in blast_radius.changed(proved, of_migrations) if "rows as the feature says" in line]
    assert told.startswith("dbname=x: as many rows as the feature says are added to events and removed")
    drills = planning.drills(project / "features")
    before = planning.run_plan(proved, drills, project / "features").sha256
    (scripts / "0001.py").write_text("revision = '0002'")
    assert planning.run_plan(proved, drills, project / "features").sha256 != before


def test_what_takes_long_is_drilled_where_it_or_its_class_is_asked_for_and_the_environment_offers_it():
    everything = planning.drills(DIRECTORY.parent / "features")
    nightly = [drill for drill in everything if "nightly" in drill.tags]
    assert nightly
    assert not [drill for drill in planning.chosen(everything, TWIN, []) if drill in nightly]
    assert {drill.feature for drill in nightly} >= {"canary", "migration", "database_primary_lost", "region_lost"}
    assert planning.chosen(everything, TWIN, ["nightly"]) == nightly
    assert TWIN.performance is not None
    alone = replace(TWIN, performance=replace(TWIN.performance, workers=None))
    assert "workers" not in {drill.feature for drill in planning.chosen(everything, alone, ["nightly"])}
    assert TWIN.recovery is not None
    safe = replace(TWIN, recovery=replace(TWIN.recovery, losses=("server", "cut", "nodes")))
    assert "region_lost" not in {drill.feature for drill in planning.chosen(everything, safe, ["nightly"])}
    without = replace(TWIN, migrations=None)
    left = {drill.feature for drill in planning.chosen(everything, without, ["nightly"])}
    assert not left & {"migration", "backup_before_release"}
    before = [drill for drill in everything if drill.feature == "backup_before_release"]
    assert any("differential backup of analytics, which stays" in line for line in blast_radius.changed(TWIN, before))
    assert "migration" in {drill.feature for drill in planning.chosen(everything, without, ["migration"])}


def test_a_plan_says_when_it_takes_longer_than_the_guard_allows(tmp_path):
    text = (DIRECTORY / "twin.yaml").read_text()
    text = re.sub(r"max_duration: .*", "max_duration: 2 min", text).replace("../", f"{DIRECTORY.parent}/")
    (tmp_path / "twin.yaml").write_text(text)

    def planned(only):
        return CliRunner().invoke(cli.app, ["plan", f"--environment={tmp_path / 'twin.yaml'}", f"--only={only}"])

    assert planned("cutover").exit_code == 0
    refused = planned("nightly")
    assert refused.exit_code == 2
    assert "verify would refuse it: the drills would take about" in refused.output
    assert "guard.max_duration allows 120 s" in refused.output


def test_a_plan_says_when_the_slot_of_the_public_is_changed() -> None:
    all_drills = planning.drills(DIRECTORY.parent / "features")
    (update,) = [drill for drill in all_drills if drill.feature == planning.UPDATE_IN_PLACE]
    told = "the release of the slot that has the public: updated in place by Helm, and rolled back"
    assert any(line.startswith(f"us-east-1: {told}") for line in blast_radius.changed(TWIN, [update]))
    others = [drill for drill in all_drills if drill != update]
    assert not any(told in line for line in blast_radius.changed(TWIN, others))


def scraped_every(scrape_s):
    return replace(TWIN, metrics=replace(TWIN.metrics, scrape_interval_s=scrape_s))


def test_how_soon_a_slot_has_to_be_drained_is_known_of_each_scenario_that_says_so():
    everything = planning.drills(DIRECTORY.parent / "features")
    limits = {drill.feature: drill.drained_within_s for drill in everything if drill.drained_within_s != math.inf}
    assert limits == {"cutover": 30.0}


@pytest.mark.parametrize(("scrape_s", "decidable"), [(1.0, True), (15.0, True), (25.0, True), (30.0, False)])
def test_a_drain_is_decided_by_scrapes_that_are_close_enough(scrape_s, decidable):
    drills = planning.drills(DIRECTORY.parent / "features")
    (line,) = [line for line in planning.feasibility(scraped_every(scrape_s), drills) if "drained" in line.objective]
    assert (line.decidable, line.has, line.needs) == (decidable, 5.0 + scrape_s, 30.0)
    others = [drill for drill in drills if drill.feature != "cutover"]
    assert len(planning.feasibility(scraped_every(scrape_s), others)) == 3


def test_a_plan_says_when_its_scrapes_are_too_far_apart_and_so_does_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(cli.drills_process, "run", lambda *_: pytest.fail("a run was begun"))
    text = (DIRECTORY / "twin.yaml").read_text().replace("../", f"{DIRECTORY.parent}/")
    (tmp_path / "twin.yaml").write_text(text.replace("scrape_interval: 1 s", "scrape_interval: 30 s"))

    def said(command, only):
        return CliRunner().invoke(cli.app, [command, f"--environment={tmp_path / 'twin.yaml'}", f"--only={only}"])

    planned = said("plan", "cutover")
    assert planned.exit_code == 2
    assert "NO   an old slot drained within 30 s, with requests of up to 5 s and a scrape every 30 s: has 35 s" in (
        planned.output
    )
    assert said("plan", "rollback").exit_code == 0
    refused = said("verify", "cutover")
    assert refused.exit_code == 2
    assert "nothing was touched" in refused.output
    assert "an old slot drained within 30 s" in refused.output


def planned(tmp_path, command, *options, without="", changed=("", "")):
    """A command with the twin's file, without one of its sections, or with something changed in it."""
    text = (DIRECTORY / "twin.yaml").read_text().replace("../", f"{DIRECTORY.parent}/")
    assert changed[0] in text
    text = text.replace(*changed) if changed[0] else text
    text = re.sub(rf"^{without}:\n(?: .*\n)+", "", text, flags=re.MULTILINE) if without else text
    (tmp_path / "twin.yaml").write_text(text)
    return CliRunner().invoke(cli.app, [command, f"--environment={tmp_path / 'twin.yaml'}", *options])


def test_drills_are_asked_for_with_spaces_between_them(tmp_path):
    told = planned(tmp_path, "plan", "--only=cutover, rollback ,")
    assert told.exit_code == 0
    assert told.output == planned(tmp_path, "plan", "--only=cutover,rollback").output


@pytest.mark.parametrize(
    ("allowed", "limit", "said"),
    [
        ("namespaces: [analytics,", "namespaces: [other,", "would change namespace analytics, which guard.namespaces"),
        ("pods_share: 0.5", "pods_share: 0.1", "takes away 50% of the pods, and guard.pods_share in twin.yaml"),
        ("pods_share: 0.5", "pods_share: 0.5\n  stop_file: twin.yaml", "twin.yaml is there; delete it when drills may"),
        ("max_duration: 180 min", "max_duration: 1 s", "and guard.max_duration allows 1 s"),
    ],
)
def test_what_the_guard_refuses_at_any_time_is_told_beforehand(tmp_path, allowed, limit, said):
    told = planned(tmp_path, "plan", "--only=update_in_place", changed=(allowed, limit))
    assert told.exit_code == 2
    assert "verify would refuse it: " in told.output
    assert said in told.output


@pytest.mark.parametrize("only", [" ", ",", " , "])
def test_a_list_of_no_drills_does_not_mean_all_of_them(tmp_path, only, monkeypatch):
    monkeypatch.setattr(cli.drills_process, "run", lambda *_: pytest.fail("a run was begun"))
    for command in ("plan", "verify"):
        refused = planned(tmp_path, command, f"--only={only}")
        assert refused.exit_code == 2
        assert "--only: names no feature; there are" in refused.output


@pytest.mark.parametrize("command", ["plan", "verify"])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=str)
def test_where_nothing_would_be_drilled_that_is_all_that_is_said(tmp_path, command, options, monkeypatch):
    monkeypatch.setattr(cli.drills_process, "run", lambda *_: pytest.fail("a run was begun"))
    given = options if command == "plan" else ()
    told = planned(tmp_path, command, "--only=performance", *given, without="performance")
    assert told.exit_code == 2
    assert told.output == (
        "nothing would be drilled: twin lacks what drills of performance need, see docs/your-staging.md\n"
    )
