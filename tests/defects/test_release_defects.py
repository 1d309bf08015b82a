"""Each promise of a release is seen broken: the right check fails, for the right reason, and the twin is put back."""

from __future__ import annotations

import os
import signal
import time

import pytest

from drillbook.domain.verdict import Verdict

pytestmark = pytest.mark.twin
CUTOVER, OPERATOR, CANARY, UPDATE = "good_release", "operator", "no_worse_is_promoted", "an_update_rolls_out"
"""The scenarios that are drilled, by pytest's own names for them."""
PASS, FAIL, INCONCLUSIVE = 0, 1, 75
HIDDEN = {"defects.minRps": 40}
"""The defect shows under load only, so that validation does not find it first."""


def put_back(outcome) -> bool:
    return outcome.verdict_of("drill.") == {"PASS"}


@pytest.mark.slow  # `make test` drills it by itself, and judges that again
def test_the_twin_without_a_defect_passes(drilled):
    outcome = drilled(CUTOVER)
    assert outcome.code == PASS, str(outcome)
    assert outcome.judged_again.agreement is Verdict.PASS, outcome.judged_again


@pytest.mark.slow  # the drills of `make test` have a release like it
def test_errors_on_2_percent_of_requests_are_found(drilled):
    outcome = drilled(CUTOVER, release={"defects.errorShare": 0.02, **HIDDEN})
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # the drills of `make test` have a release like it
def test_a_release_that_is_five_times_slower_is_found(drilled):
    outcome = drilled(CUTOVER, release={"defects.delayMs": 400, **HIDDEN})
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.latency"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # it takes users' patience to be seen
def test_a_release_that_hangs_is_sent_back_though_no_answer_names_it(drilled):
    outcome = drilled(CUTOVER, release={"defects.delayMs": 20000, **HIDDEN})
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("release.watch") == {"FAIL"}, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # the drills of `make test` have a release like it
def test_wrong_aggregates_are_found(drilled):
    outcome = drilled(CUTOVER, release={"defects.wrongAggregates": 0.1, **HIDDEN})
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)
    assert put_back(outcome), str(outcome)


def test_lost_writes_are_found(drilled):
    outcome = drilled(CUTOVER, release={"defects.loseWrites": 0.05, **HIDDEN})
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("data.lost"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # a release that fails its validation is among the drills of `make test`
def test_readiness_that_lies_is_found_before_the_switch(drilled):
    outcome = drilled(CUTOVER, release={"defects.readyLies": 1, "defects.startupMs": 60000})
    assert outcome.code == FAIL, str(outcome)
    assert any("validation" in reason for reason in outcome.not_passed().values()), str(outcome)
    assert outcome.verdict_of("release.failed_requests") == {"PASS"}, str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # errors are found by the same check in the drills of `make test`
def test_an_old_slot_that_is_killed_at_the_switch_is_found(drilled):
    def kill(saboteur):
        # Told to delete a pod, Kubernetes first takes it from the gateway: a slot that is really killed is not.
        saboteur.after("observed", "validate_release")
        saboteur.kill_pods("blue")

    outcome = drilled(CUTOVER, sabotage=kill)
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)
    assert put_back(outcome), str(outcome)


def test_one_percent_left_on_the_old_version_is_found(drilled):
    left = '[{"op":"replace","path":"/spec/rules/2/backendRefs/0/weight","value":1}]'
    former = (
        '[{"op":"replace","path":"/spec/rules/2/backendRefs/0/weight","value":100},'
        '{"op":"replace","path":"/spec/rules/2/backendRefs/1/weight","value":0}]'
    )
    patch = ("patch", "httproute", "analytics", "--namespace=analytics", "--type=json")
    operator = []

    def leave(saboteur):
        operator.append(saboteur)
        saboteur.after("observed", "switch-traffic")
        saboteur.kubectl(*patch, f"--patch={left}")

    outcome = drilled(CUTOVER, sabotage=leave)
    try:
        assert outcome.code == FAIL, str(outcome)
        assert any("FAIL: all traffic" in reason for reason in outcome.not_passed().values()), str(outcome)
        # What somebody else has set is theirs: it is left, and said.
        assert outcome.verdict_of("drill.restored") == {"FAIL"}, str(outcome)
        assert "somebody else has changed them since" in outcome.output, str(outcome)
    finally:
        operator[0].kubectl(*patch, f"--patch={former}")
        recovered = outcome.recover()
    assert recovered.returncode == PASS, recovered.stdout + recovered.stderr
    assert "put back: deploy-release" in recovered.stdout


@pytest.mark.slow  # likewise
def test_a_rollback_target_that_was_scaled_to_zero_is_found(drilled):
    def scale(saboteur):
        saboteur.after("observed", "switch-traffic")
        saboteur.kubectl("scale", "deployment", "analytics-blue", "--namespace=analytics", "--replicas=0")
        saboteur.after("injected", "roll_back")
        time.sleep(5)
        saboteur.kubectl("scale", "deployment", "analytics-blue", "--namespace=analytics", "--replicas=2")

    def unguarded(document):
        # Else the guard sees that the slot is empty, or that nobody is served, and stops the drill before it is judged.
        document["guard"]["pods_share"] = 1.0
        document["guard"]["burn"]["for"] = "60 s"

    outcome = drilled(OPERATOR, change=unguarded, sabotage=scale)
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)


def test_a_new_slot_that_prometheus_does_not_scrape_is_inconclusive(drilled):
    def hide(saboteur):
        saboteur.after("injected", "deploy-release")
        saboteur.kubectl("delete", "service", "analytics-green-pods", "--namespace=analytics")

    outcome = drilled(CUTOVER, sabotage=hide)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_starved_meter_is_inconclusive(drilled):
    def starve(saboteur):
        saboteur.after("observed", "switch-traffic")
        time.sleep(1)
        pid = saboteur.load_process()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(pid, signal.SIGCONT)

    outcome = drilled(CUTOVER, sabotage=starve)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert "INCONCLUSIVE" in outcome.verdict_of("release.downtime"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # the load's own tests hold that a killed one leaves no verdict
def test_a_killed_load_is_inconclusive(drilled):
    def kill(saboteur):
        saboteur.after("observed", "switch-traffic")
        os.kill(saboteur.load_process(), signal.SIGKILL)

    outcome = drilled(CUTOVER, sabotage=kill)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # what lies about being ready is among the drills of `make test`, before a switch
def test_an_update_in_place_whose_pods_lie_about_being_ready_is_found(drilled):
    outcome = drilled(UPDATE, only="update_in_place", release={"defects.readyLies": 1, "defects.startupMs": 8000})
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.failed_requests"), str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # the rule itself is held for want of each thing in tests/unit
def test_a_canary_whose_metrics_lack_the_version_label_is_never_promoted(drilled):
    def unlabelled(document):
        # As if the label were not there: no series has it both empty and with the canary's version.
        document["metrics"]["users"] = f'{document["metrics"]["users"]},version=""'

    outcome = drilled(CANARY, only="canary", change=unlabelled)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("canary.promoted") == {"INCONCLUSIVE"}, str(outcome)
    assert "no number for the canary's version" in outcome.output, str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.mark.slow  # likewise
def test_a_canary_whose_users_go_away_is_never_promoted(drilled):
    def kill(saboteur):
        saboteur.after("injected", "shift-traffic")
        os.kill(saboteur.load_process(), signal.SIGKILL)

    outcome = drilled(CANARY, only="canary", sabotage=kill)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    # The guard, which no longer sees how users fare, may end the drill before the canary is given up.
    assert outcome.verdict_of("canary.promoted") <= {"INCONCLUSIVE"}, str(outcome)
    assert put_back(outcome), str(outcome)
