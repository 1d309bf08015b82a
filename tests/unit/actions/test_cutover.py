"""The activities of an experiment, one after the other, on a platform in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook import activities
from drillbook.actions.watch import Limits
from drillbook.activities import Halted
from drillbook.domain.measurement import Window
from drillbook.domain.sequential import Allowance
from drillbook.ports import Sample, Unreachable
from probes import story

GREEN = {"blue": 0, "green": 100}
BLUE = {"blue": 100, "green": 0}

pytestmark = pytest.mark.usefixtures("clients", "drill")


def switch(release="1.1.0"):
    activities.deploy_release(release)
    activities.await_telemetry()
    activities.validate_release(release)
    activities.switch_traffic()


def cut_over(release="1.1.0"):
    switch(release)
    return activities.watch_release(release)


def test_a_good_release_is_kept_and_the_old_slot_drained_and_warm(world, drill) -> None:
    assert cut_over()["ruling"] == "keep"
    assert activities.drain_old_slot()["drained"]
    assert world.weights == GREEN
    window = None
    assert story.warm_share(drill.events(), window).interval.low == 1.0
    assert story.drained_after(drill.events(), window).interval.high < 10


def test_a_deployment_keeps_what_the_releases_containers_are_held_to(world, drill, monkeypatch) -> None:
    def bounded(slot):
        return replace(type(world).slot(world, slot), bounds={"green-1/app": ("requests.cpu", "limits.cpu")})

    monkeypatch.setattr(world, "slot", bounded)
    activities.deploy_release("1.1.0")
    (seen,) = [event for event in story.of(drill.events(), "deploy-release") if event.kind == "observed"]
    assert seen.data["bounds"] == {"green-1/app": ["requests.cpu", "limits.cpu"]}


@pytest.mark.parametrize(
    ("flaw", "found"), [({"bad_share": 0.1}, "errors"), ({"slow": True}, "latency")], ids=["fails", "slow"]
)
def test_a_bad_release_is_sent_back_within_seconds_and_nothing_of_the_switch_is_left_open(
    world, drill, flaw, found
) -> None:
    for name, value in flaw.items():
        setattr(world, name, value)
    started_s = world.now()
    assert cut_over()["ruling"] == "roll back"
    assert world.weights == BLUE
    assert world.now() - started_s < 3
    assert [change.action for change in drill.journal.open_changes()] == ["deploy-release"]
    stages = story.stages(drill.events())
    assert list(stages) == ["detected", "decided", "switched", "seen by clients"]
    assert story.decisions(drill.events())[-1].data["flaw"] == found


@pytest.mark.parametrize("unnamed", [{"timeout": 5}, {"reset": 5}, {"502": 5}, {"unsent": 5}], ids=str)
def test_a_release_whose_users_get_no_answer_that_names_it_is_sent_back(world, drill, unnamed) -> None:
    world.unnamed = unnamed
    started_s = world.now()
    found = cut_over()
    assert found["ruling"] == "roll back"
    assert "of them without an answer that names a release" in found["reason"]
    assert world.now() - started_s < 3
    (decided,) = [event for event in story.of(drill.events(), "watch_release") if event.kind == "decided"]
    assert decided.data["clients"]["unnamed"] == decided.data["clients"]["bad"] > 0
    assert decided.data["flaw"] == "errors"
    assert "detected" in story.stages(drill.events())


def test_a_release_that_leaves_everything_unanswered_is_sent_back_without_any_answer(world, monkeypatch) -> None:
    switch()
    record = world.sleep

    def silent(seconds: float) -> None:
        monkeypatch.setattr(world, "slots", {"blue": "1.0.0", "green": "nobody"})
        record(seconds)
        monkeypatch.setattr(world, "slots", {"blue": "1.0.0", "green": "1.1.0"})

    monkeypatch.setattr(world, "sleep", silent)
    world.unnamed = {"timeout": 50}
    assert activities.watch_release("1.1.0")["ruling"] == "roll back"


def test_what_may_be_the_meters_own_doing_neither_sends_a_release_back_nor_lets_it_stay(world) -> None:
    world.unnamed = {"timeout": 5, "doubtful": 5}
    found = cut_over()
    assert found["ruling"] == "undecided"
    assert "may be the meter's own doing" in found["reason"]
    assert world.weights == GREEN


def test_a_stray_reset_lets_it_stay_and_is_told(world) -> None:
    switch()
    record, strays = world.sleep, iter([{"reset": 1}])

    def once(seconds: float) -> None:
        world.unnamed = next(strays, {})
        record(seconds)

    world.sleep = once
    found = activities.watch_release("1.1.0")
    assert found["ruling"] == "keep"
    assert found["reason"].endswith("1 request failed without an answer that names a release")


def test_failures_without_a_name_from_before_the_switch_are_not_the_releases(clients) -> None:
    line = '{"start_s": 1.0, "end_s": 1.25, "unanswered": {"timeout": 40}, "unsent": 9, "versions": {}}\n'
    clients.write_text(line * 20)
    assert cut_over()["ruling"] == "keep"


def test_a_bad_release_is_sent_back_also_without_prometheus(world) -> None:
    world.bad_share = 0.1
    switch()
    world.prometheus_up = False
    assert activities.watch_release("1.1.0")["ruling"] == "roll back"


def test_a_release_that_fails_its_validation_gets_no_traffic_and_nothing_more_is_done(world, drill) -> None:
    world.smoke_problems = ("query was answered wrongly",)
    with pytest.raises(Halted, match="not fit for the public"):
        cut_over()
    for later in (activities.switch_traffic, activities.drain_old_slot):
        with pytest.raises(Halted, match="not done, because"):
            later()
    assert world.weights == BLUE
    assert story.failed_validation_checks(drill.events(), None).interval.low == 1
    assert activities.put_back()["all"]
    assert world.slots["green"] == ""


def test_too_few_answers_decide_nothing(world, monkeypatch) -> None:
    monkeypatch.setattr(world, "sleep", type(world).sleep.__get__(world))  # no clients any more
    assert cut_over()["ruling"] == "undecided"
    assert world.weights == GREEN


def test_an_operator_takes_a_release_back(world, drill) -> None:
    cut_over()
    activities.roll_back_by_operator("10")
    assert world.weights == BLUE
    assert list(story.stages(drill.events()))[-1] == "seen by clients"


def test_putting_back_restores_weights_before_it_removes_what_they_lead_to(world, drill) -> None:
    cut_over()
    world.calls.clear()
    assert activities.put_back()["all"]
    assert world.calls == [f"weights {BLUE}", "restore green to 0"]
    assert drill.journal.open_changes() == []
    assert world.documents == {}


def test_a_slot_with_work_left_is_not_drained(world) -> None:
    cut_over()
    world.in_flight["blue"] = 1.0
    assert not activities.drain_old_slot()["drained"]


def test_a_drain_that_nobody_could_see_is_measured_by_nothing(world, drill) -> None:
    cut_over()
    world.prometheus_up = False
    assert not activities.drain_old_slot()["drained"]
    window = Window(0.0, 100.0)
    assert story.drained_after(drill.events(), window).interval is None
    assert story.warm_share(drill.events(), window).interval is None


def test_a_switch_that_never_shows_halts_and_is_undone(world) -> None:
    world.gateway_lag_s = 1e9
    activities.deploy_release("1.1.0")
    with pytest.raises(Exception, match="still answers"):
        activities.switch_traffic()
    assert activities.put_back()["all"]
    assert world.weights == BLUE


def test_the_steady_state_probe_never_raises(world) -> None:
    assert activities.platform_serves() is True
    world.slots["blue"] = ""
    assert activities.platform_serves() is False


def test_a_slot_that_prometheus_does_not_see_gets_no_traffic_and_is_not_waited_for_without_end(world, drill) -> None:
    world.targets = ("green-1",)
    with pytest.raises(Halted, match="scrapes 1 of 2 pods"):
        cut_over()
    assert world.weights == BLUE
    told = [event.text for event in story.of(drill.events(), "await_telemetry") if event.kind == "note"]
    assert told[0] == "Prometheus scrapes 1 of 2 pods of slot green"


@pytest.mark.parametrize(("every_s", "switched"), [(15.0, True), (1.0, False)])
def test_a_slot_is_waited_for_as_long_as_its_scrapes_are_apart(world, drill, every_s, switched) -> None:
    drill.platform.series = replace(drill.platform.series, scrape_interval_s=every_s)
    targets, world.targets = world.targets, ()
    query, found_s = world.query, world.now() + 45.0

    def find_later(promql, *, at_s=None):
        world.targets = targets if world.now() >= found_s else ()
        return query(promql, at_s=at_s)

    world.query = find_later
    try:
        switch()
    except Halted:
        assert not switched
    assert (world.weights == GREEN) is switched


def readiness(drill):
    return story.pods_that_flapped(drill.events(), Window(0.0, 1.0)).interval


def test_pods_that_stay_ready_while_they_are_watched_are_told_as_such(world, drill) -> None:
    world.ready_since = {"green-1": "10:00", "green-2": "10:01"}
    cut_over()
    assert (readiness(drill).low, readiness(drill).high) == (0, 0)


@pytest.mark.parametrize("later", [{"green-1": "10:00", "green-2": "10:05"}, {"green-1": "10:00"}])
def test_a_pod_that_stopped_being_ready_is_told_whether_or_not_it_is_ready_again(world, drill, later) -> None:
    world.ready_since = {"green-1": "10:00", "green-2": "10:01"}
    switch()
    sleep = world.sleep

    def sleep_and_flap(seconds: float) -> None:
        sleep(seconds)
        world.ready_since = later

    world.sleep = sleep_and_flap
    assert activities.watch_release("1.1.0")["ruling"] == "keep"
    assert readiness(drill).low == 1


def test_readiness_that_nobody_could_look_at_is_measured_by_nothing(world, drill, monkeypatch) -> None:
    world.ready_since = {"green-1": "10:00"}
    switch()
    looks = iter([None])

    def away(slot):
        if next(looks, "away") == "away":
            raise Unreachable("the cluster does not answer")
        return type(world).slot(world, slot)

    monkeypatch.setattr(world, "slot", away)
    activities.watch_release("1.1.0")
    assert readiness(drill) is None
    assert [event.text for event in story.of(drill.events(), "readiness")] == [
        "nobody can tell whether the pods of slot green were ready all along: the cluster does not answer"
    ]


def test_a_release_whose_failures_prometheus_could_not_tell_is_not_kept_as_if_it_had(drill) -> None:
    drill.platform.series = replace(drill.platform.series, failure_labels=("code",))
    found = cut_over()
    assert found["ruling"] == "keep"
    assert "Prometheus did not see whether the servers failed" in found["reason"]
    (decided,) = [event for event in story.of(drill.events(), "watch_release") if event.kind == "decided"]
    assert "lacks the label code" in decided.text


def test_prometheus_is_asked_for_what_the_strategy_calls_slow(world, drill, monkeypatch) -> None:
    """Its objective is 0.3 s and it is slow from 3 s on: answers of 1 s are late, and no reason to go back."""
    drill.platform.limits = lambda: Limits(Allowance(0.002), Allowance(0.05), 3.0, 100)
    answered = {"requests": 100.0, "fast": 100.0, "in_time": 0.0}

    def query(promql, *, at_s=None):
        name = next((name for name in answered if name in promql), "")
        at_s = world.now_s if at_s is None else at_s
        return [Sample({}, answered.get(name, 0.0) * at_s, at_s)]

    switch()
    monkeypatch.setattr(world, "query", query)
    assert activities.watch_release("1.1.0")["ruling"] == "keep"
    answered["fast"] = 0.0
    assert "took longer than 3 s" in activities.watch_release("1.1.0")["reason"]
