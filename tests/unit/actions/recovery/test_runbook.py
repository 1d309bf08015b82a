"""One source for people and for the drill: what the experiments name is told, and can be made."""

# ruff: noqa: ARG001 - a test names the fixtures that it needs

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from drillbook import activities
from drillbook.activities import recovery as recovery_activities
from drillbook.activities import restoring
from drillbook.domain import runbook
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.run.action import NotObserved
from drillbook.run.environment import load
from probes import recovery

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment

PROJECT = Path(__file__).resolve().parents[4]
EXPERIMENTS = PROJECT / "experiments"
MODULES = {module.__name__: module for module in (recovery_activities, restoring)}
TWIN = load(PROJECT / "environments" / "twin.yaml", releases=False)


def experiment(name):
    return YAML(typ="safe").load((EXPERIMENTS / f"{name}.yaml").read_text())


def play(name, how="cut"):
    for activity in experiment(name)["method"]:
        provider = activity["provider"]
        if provider["module"] in MODULES:
            given = {"${how}": how, "${moment}": "any"}
            arguments = {name: given.get(value, value) for name, value in provider.get("arguments", {}).items()}
            getattr(MODULES[provider["module"]], provider["func"])(**arguments)


@pytest.mark.parametrize(
    "name",
    [
        "failover",
        "failover_of_database",
        "failback",
        "failback_of_database",
        "switchover",
        "data_destroyed",
        "both_servers_gone",
        "traffic_moved",
        "application_state",
    ],
)
def test_every_step_of_an_experiment_is_told_with_the_environments_names(name) -> None:
    told = runbook.markdown(experiment(name), runbook.names_in(TWIN, "blue"))
    assert told.count("\n## ") == len(runbook.steps_of(experiment(name)))
    assert "{" not in told
    assert told.count("**Go on when:**") == told.count("**Way back:**") == told.count("\n## ")


def test_the_way_back_is_told_from_the_other_region() -> None:
    told = runbook.markdown(experiment("failback"), runbook.names_in(TWIN, "blue"))
    assert "Switch the database over from us-west-2 to us-east-1" in told
    assert f"kubectl --kubeconfig={TWIN.regions['us-west-2'].kubeconfig} -n data scale statefulset postgres" in told


def recovered_by(**changed) -> Environment:
    return replace(TWIN, recovery=replace(TWIN.recovery, **changed))


def test_who_promotes_waits_as_long_as_the_environment_says_that_it_takes() -> None:
    told = runbook.markdown(experiment("failover"), runbook.names_in(recovered_by(silence_s=75), "blue"))
    assert "in us-west-2, run ALTER SYSTEM SET primary_conninfo" in told
    assert "then wait 75 s by a watch" in told


def test_without_a_lease_no_wait_makes_it_safe_to_promote() -> None:
    told = runbook.markdown(experiment("failover"), runbook.names_in(recovered_by(silence_s=0), "blue"))
    assert "by a watch" not in told
    assert "nothing makes it stop by itself. Stop its machines" in told


def test_what_the_platform_is_called_comes_from_the_environment() -> None:
    named = recovered_by(
        namespace="db", stateful_set="pg", orders="obeyed", config_map="where", replicas=6, stanza="vault",
        addresses={"us-east-1": "host=10.77.1.11 port=5999 user=u", "us-west-2": "host=10.77.2.11 user=u"},
    )  # fmt: skip
    region = replace(TWIN.primary, context="east")
    named = replace(named, regions={**TWIN.regions, region.name: region},
                    releases=replace(TWIN.releases, namespace="apps", deployment="app-{slot}"))  # fmt: skip
    told = "".join(
        runbook.markdown(experiment(name), runbook.names_in(named, "green")) for name in ("failover", "data_destroyed")
    )
    for expected in (
        " --context=east -n db create configmap obeyed ", "-n db scale statefulset pg ", "No pod pg-0 is left",
        "port 5999 of 10.77.1.11", "ConfigMap apps/where in", "-n apps scale deployment/app-green --replicas=6",
        "--stanza=vault ",
    ):  # fmt: skip
        assert expected in told, expected
    assert "postgres-orders" not in told


def test_an_environment_that_recovers_nowhere_has_no_runbook() -> None:
    with pytest.raises(ValueError, match="does not say how one of its regions is recovered"):
        runbook.names_in(replace(TWIN, recovery=None), "blue")


def test_a_step_that_nobody_told_is_refused() -> None:
    method = [{"provider": {"func": "take_step", "arguments": {"step": "pray"}}}]
    with pytest.raises(ValueError, match="no runbook tells the step 'pray'"):
        runbook.markdown({"title": "", "description": "", "method": method}, runbook.names_in(TWIN, "blue"))


def test_the_failover_that_people_read_is_the_one_that_is_drilled_and_it_is_put_back(drill, world, east, west) -> None:
    play("failover")
    assert west.is_primary
    assert (world.points, world.desired, world.answering) == ("west", 4, "west")
    stages = [event.data["stage"] for event in drill.events() if event.data.get("activity") == "stage"]
    assert stages == ["detect", "decide", "fence", "promote", "repoint", "dns"]
    found = activities.put_back()
    assert found["all"], found
    assert east.is_primary
    assert (world.points, world.desired, world.names_order) == ("east", 2, ("east", "west"))


def test_after_a_failback_nothing_is_done_twice(drill, world, east, west) -> None:
    play("failover")
    world.write("in the west")
    play("failback")
    assert east.is_primary
    # Users were seen at home before what the other region was given to carry them is taken away.
    assert (world.names_order, world.answering, world.desired) == (("east", "west"), "east", 4)
    assert activities.put_back()["all"]
    assert east.is_primary
    assert west.receiving
    assert east.rows == west.rows == ["first", "in the west"]
    assert [step for step in world.steps if step.startswith("promote")] == ["promote west", "promote east"]
    assert drill.journal.open_changes() == []


def test_a_region_to_which_nobody_is_led_back_is_not_handed_its_place(drill, world) -> None:
    play("failover")
    world.stays_away = True
    with pytest.raises(activities.Halted, match="users are not led home: the public's name leads to west"):
        play("failback")
    assert world.desired == 4


def test_a_lost_database_is_failed_over_while_users_stay_where_they_are(drill, world, east, west) -> None:
    play("failover_of_database")
    assert (west.is_primary, world.answering, world.desired) == (True, "east", 2)
    play("failback_of_database")
    assert activities.put_back()["all"]
    assert east.is_primary


def test_a_planned_switch_is_put_back(drill, world, east, west) -> None:
    play("switchover")
    assert west.is_primary
    assert activities.put_back()["all"]
    assert east.rows == west.rows == ["first"]


def test_traffic_is_moved_and_led_back_before_anything_is_taken_away(drill, world, east) -> None:
    play("traffic_moved")
    assert (world.names_order, world.answering) == (("east", "west"), "east")
    assert (world.points, world.desired, east.is_primary) == ("west", 4, True)
    window = Window(1000.0, world.now())
    assert recovery.name_kept(drill.events(), window).interval == Interval.exactly(30.0)
    assert recovery.step_took(drill.events(), "scale-up-region", window).interval.high < 60
    assert activities.put_back()["all"]
    assert (world.points, world.desired) == ("east", 2)


def test_everything_goes_to_the_other_region_and_comes_back_with_every_write(drill, world, east, west) -> None:
    play("application_state")
    assert west.is_primary
    assert (world.points, world.desired, world.names_order) == ("west", 4, ("east", "west"))
    assert activities.put_back()["all"]
    assert east.is_primary
    assert (world.points, world.desired, east.rows) == ("east", 2, west.rows)


def test_a_region_that_gets_no_pods_is_waited_for_and_gets_nobody(drill, world, monkeypatch) -> None:
    monkeypatch.setattr(world, "scale", lambda _slot, _replicas: None)
    with pytest.raises(NotObserved):
        play("traffic_moved")
    found = recovery.step_took(drill.events(), "scale-up-region", Window(1000.0, world.now()))
    assert found.interval.low == pytest.approx(120, abs=1)
    assert math.isinf(found.interval.high)
    assert world.names_order == ("east", "west")
    assert activities.put_back()["all"]


def test_a_failed_verification_ends_the_recovery(drill, world) -> None:
    world.smoke_problems = ("a write was gone",)
    with pytest.raises(activities.Halted, match="a write was gone"):
        play("failover")


def test_an_environment_that_does_not_say_how_proves_nothing(drill, world) -> None:
    drill.platform.recovery = None
    with pytest.raises(activities.Halted, match="not proved here"):
        play("failover")
    assert world.steps == []


def test_what_is_no_recovery_has_no_runbook() -> None:
    with pytest.raises(ValueError, match="takes no step of a recovery"):
        runbook.markdown(experiment("cutover"), runbook.names_in(TWIN, "blue"))
