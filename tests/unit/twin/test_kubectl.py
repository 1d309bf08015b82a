"""What a wait for pods tells of those that do not come."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from drillbook.twin.kubectl import ClusterError, Kubectl

if TYPE_CHECKING:
    from pathlib import Path

UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 too full"}
EVENT = {"involvedObject": {"name": "postgres-0"}, "message": "FailedScheduling: too full"}


def cluster(directory: Path, pod: dict, events: str) -> Kubectl:
    """A kubectl that knows one pod."""
    pods = {"items": [{"metadata": {"name": "postgres-0"}, **pod}]}
    (directory / "pods.json").write_text(json.dumps(pods))
    (directory / "events.json").write_text(events)
    program = directory / "kubectl"
    program.write_text(
        f'#!/bin/sh\ncase "$3" in pods) cat {directory}/pods.json;; *) cat {directory}/events.json;; esac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Kubectl(program, directory / "us-west-2.yaml")


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        (
            {"spec": {}, "status": {"phase": "Pending", "conditions": [UNSCHEDULABLE]}},
            "not scheduled: 0/2 nodes are available: 2 too full",
        ),
        ({"spec": {}, "status": {"phase": "Pending"}}, "not scheduled: the scheduler has told nothing of it"),
        (
            {"spec": {"nodeName": "west-1"}, "status": {"phase": "Pending"}},
            "scheduled to west-1, whose kubelet has told nothing of it",
        ),
    ],
)
def test_a_pod_without_containers_is_told_of_with_what_it_waits_for(tmp_path, pod, told):
    kubectl = cluster(tmp_path, pod, json.dumps({"items": [EVENT]}))
    with pytest.raises(ClusterError) as raised:
        kubectl.wait_pods("data", deadline_s=0)
    assert told in str(raised.value)
    assert "in us-west-2, data: pod postgres-0" in str(raised.value)
    assert "warns of postgres-0: FailedScheduling: too full" in str(raised.value)


def test_events_that_cannot_be_read_do_not_hide_what_was_waited_for(tmp_path):
    kubectl = cluster(tmp_path, {"spec": {}, "status": {"phase": "Pending"}}, "")
    (tmp_path / "events.json").unlink()
    with pytest.raises(ClusterError, match="postgres-0 is Pending"):
        kubectl.wait_pods("data", deadline_s=0)
