"""Workers of a load: their Jobs end by themselves, and their undo needs nothing but their mark."""

from __future__ import annotations

import json

import pytest

from drillbook.actions.load_workers import START, StartWorkers, Workers
from drillbook.drivers.kubernetes_load import KubernetesWorkers
from drillbook.ports import WorkerStatus


class Port:
    """Workers that do as they are told."""

    def __init__(self, phase="Running"):
        self.phase, self.there = phase, []

    def start(self, mark, plans, *, lives_s):
        assert lives_s > 0
        self.there = [WorkerStatus(n, f"{mark}-{n}", self.phase, "node-1", "why") for n in range(len(plans))]

    def status(self, mark):
        return [one for one in self.there if one.pod.startswith(mark)]

    def remove(self, mark):
        self.there = [one for one in self.there if not one.pod.startswith(mark)]


class Clock:
    def now(self):
        return 7.0


def started(port):
    action = StartWorkers(port, Clock(), "abc", [{}, {}], lives_s=60)
    action.do()
    return action


def test_they_are_in_effect_once_all_of_them_run():
    seen = started(Port()).observe()
    assert seen.holds
    assert seen.data == {"nodes": {"0": "node-1", "1": "node-1"}}


@pytest.mark.parametrize("phase", ["Pending", "Failed", "Succeeded"])
def test_one_that_does_not_run_is_named(phase):
    seen = started(Port(phase)).observe()
    assert not seen.holds
    assert f"0 of 2 workers run; abc-0 {phase} why" in seen.text


def test_another_process_removes_them_by_what_was_written_down_and_nobody_else_s():
    port = Port()
    action = started(port)
    port.there.append(WorkerStatus(0, "other-0", "Running"))
    written = json.loads(json.dumps({"arguments": dict(action.arguments), "before": dict(action.capture())}))
    again = Workers(port, Clock()).make(START, written["arguments"])
    assert not again.observe_undone(written["before"]).holds
    again.undo(written["before"])
    again.undo(written["before"])
    assert again.observe_undone(written["before"]).holds
    assert [one.pod for one in port.there] == ["other-0"]


def test_a_job_ends_by_itself_is_not_tried_again_and_may_do_nothing():
    job = KubernetesWorkers(None, "load", "image").manifest("abc", 3, {"meter": 1}, 90.4)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (90, 0)
    assert spec["ttlSecondsAfterFinished"] > 0
    assert job["metadata"]["name"] == "drill-abc-load-3"
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]
    assert json.loads(container["env"][0]["value"]) == {"meter": 1}
