"""The driver with a helm that writes down how it was called and answers from a script."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.domain.slot_history import Revision
from drillbook.drivers.helm import HelmReleaser
from drillbook.ports import Unreachable

FAKE = """#!{python}
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
arguments = sys.argv[1:]
with open(os.path.join(here, "calls"), "a") as file:
    file.write(json.dumps(arguments) + "\\n")
script = json.load(open(os.path.join(here, "script.json")))
time.sleep(script.get("sleep", 0))
if arguments[0] == "history":
    if script["history"] is None:
        sys.exit("Error: " + script.get("missing", "release: not found"))
    # As the real one: of no more than so many, the newest; of 0, none.
    most = next(int(word[6:]) for word in arguments if word.startswith("--max="))
    print(json.dumps(script["history"][-most:] if most > 0 else []))
elif arguments[:2] == ["get", "manifest"] and "manifest" in script:
    print(script["manifest"])
elif "fails" in script:
    sys.exit(script["fails"])
"""


@pytest.fixture
def helm(tmp_path):
    program = tmp_path / "helm"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    return Fake(tmp_path)


class Fake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script(history=None)
        self.releaser = HelmReleaser(
            chart=Path("chart"), namespace="analytics", release="analytics-{slot}",
            deployment="{slot}-app", kubeconfig=Path("kubeconfig"), context="staging",
            values=(Path("values-staging.yaml"),),
            settings={"slot": "{slot}", "version": "{version}"},
            overrides={"1.2.0-bad": {"defects.errorShare": "0.1"}}, program=str(folder / "helm"),
        )  # fmt: skip

    def script(self, **script) -> None:
        (self.folder / "script.json").write_text(json.dumps(script))

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def changes(self) -> list[str]:
        return [" ".join(call[:3]) for call in self.calls() if call[0] != "history"]


def entry(revision: int, status: str, description: str = "") -> dict[str, object]:
    return {"revision": revision, "status": status, "description": description}


def test_a_slot_without_release_has_no_history(helm) -> None:
    assert helm.releaser.history("green") == []


def test_the_history_tells_ways_back_and_what_came_to_its_end(helm) -> None:
    helm.script(
        history=[
            entry(1, "superseded", "Install complete"), entry(2, "superseded", "drillbook 1f"),
            entry(3, "deployed", "Rollback to 1"), entry(4, "failed", 'Rollback "analytics-green" failed: no such pod'),
            entry(5, "pending-upgrade", "Preparing upgrade"),
        ]
    )  # fmt: skip
    assert helm.releaser.history("green") == [
        Revision(1, mark="Install complete"),
        Revision(2, mark="drillbook 1f"),
        Revision(3, mark="Rollback to 1", back_to=1, current=True),
        Revision(5, mark="Preparing upgrade", finished=False),
    ]


def test_the_revision_that_runs_is_seen_behind_any_number_of_newer_ones_that_failed(helm) -> None:
    helm.script(history=[entry(1, "deployed"), *(entry(number, "failed") for number in range(2, 400))])
    history = helm.releaser.history("green")
    assert (history[0].number, history[0].current, len(history)) == (1, True, 399)


def test_something_else_that_is_not_found_is_no_empty_slot(helm) -> None:
    helm.script(history=None, missing='exec: "aws": executable file not found in $PATH')
    with pytest.raises(Unreachable, match="executable file not found"):
        helm.releaser.history("green")


def test_each_call_names_the_context(helm) -> None:
    helm.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)
    helm.releaser.restore("green", 0, deadline_s=30)
    assert all("--kube-context=staging" in call for call in helm.calls())


def test_nothing_is_started_where_the_kubeconfig_leads_elsewhere(helm) -> None:
    def elsewhere() -> None:
        raise Unreachable("it leads elsewhere by now")

    releaser = replace(helm.releaser, see_the_cluster=elsewhere)
    with pytest.raises(Unreachable, match="elsewhere"):
        releaser.restore("green", 0, deadline_s=30)
    assert not (helm.folder / "calls").exists()


def test_a_deployment_has_the_values_of_its_slot_and_version(helm) -> None:
    helm.releaser.deploy("green", "1.2.0-bad", mark="ours", deadline_s=30)
    call = next(call for call in helm.calls() if call[0] == "upgrade")
    assert call[:4] == ["upgrade", "--install", "analytics-green", "chart"]
    settings = [call[i + 1] for i, word in enumerate(call) if word == "--set"]
    assert settings == ["slot=green", "version=1.2.0-bad", "defects.errorShare=0.1"]
    assert {"--values=values-staging.yaml", "--namespace=analytics", "--kubeconfig=kubeconfig"} <= set(call)
    assert "--description=ours" in call


def test_a_helm_that_died_in_an_upgrade_is_repaired_first(helm) -> None:
    helm.script(history=[entry(1, "deployed"), entry(2, "pending-upgrade")])
    helm.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)
    assert helm.changes() == ["rollback analytics-green 1", "upgrade --install analytics-green"]


@pytest.mark.parametrize("newer", ["failed", "superseded"])
def test_a_helm_that_died_behind_many_that_failed_is_taken_back_to_what_runs(helm, newer) -> None:
    """One that failed counts as superseded once a way back from it has failed too."""
    failed = [entry(number, newer) for number in range(2, 400)]
    helm.script(history=[entry(1, "deployed"), *failed, entry(400, "pending-upgrade")])
    helm.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)
    assert helm.changes() == ["rollback analytics-green 1", "upgrade --install analytics-green"]


def test_a_helm_that_died_in_its_first_install_is_repaired_first(helm) -> None:
    helm.script(history=[entry(1, "pending-install")])
    helm.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)
    assert helm.changes()[0] == "uninstall analytics-green --ignore-not-found"


def test_restoring_twice_changes_once(helm) -> None:
    helm.script(history=[entry(1, "deployed"), entry(2, "superseded")])
    helm.releaser.restore("green", 1, deadline_s=30)
    helm.script(history=[entry(2, "superseded"), entry(3, "deployed", "Rollback to 1")])
    helm.releaser.restore("green", 1, deadline_s=30)
    assert helm.changes() == ["rollback analytics-green 1"]


def test_restoring_to_nothing_uninstalls(helm) -> None:
    helm.releaser.restore("green", 0, deadline_s=30)
    assert helm.changes() == ["uninstall analytics-green --ignore-not-found"]


def test_restoring_a_release_that_is_gone_says_so(helm) -> None:
    with pytest.raises(Unreachable, match="knows no release analytics-green"):
        helm.releaser.restore("green", 3, deadline_s=30)


def test_a_refusal_carries_helms_words(helm) -> None:
    helm.script(history=None, fails="Error: values don't meet the specifications of the schema")
    with pytest.raises(Unreachable, match="specifications of the schema"):
        helm.releaser.deploy("green", "1.1.0", mark="ours", deadline_s=30)


MANIFEST = """
---
# Source: analytics/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: green-app}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: another}
spec: {replicas: 7}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: green-app}
spec: {replicas: 3}
"""


@pytest.mark.parametrize(
    ("manifest", "replicas"),
    [(MANIFEST, 3), (MANIFEST.replace("{replicas: 3}", "{paused: false}"), None), ("", None),
     (MANIFEST.replace("replicas: 3", "replicas: 0"), 0)],
    ids=["asked", "left to others", "nothing", "none"],
)  # fmt: skip
def test_a_slots_release_says_how_many_it_asks_for(helm, manifest, replicas) -> None:
    helm.script(history=None, manifest=manifest)
    assert helm.releaser.replicas("green") == replicas


@pytest.mark.parametrize("manifest", ["[1, 2]", "{", "kind: Deployment"])
def test_a_manifest_that_is_none_is_no_number(helm, manifest) -> None:
    helm.script(history=None, manifest=manifest)
    with pytest.raises(Unreachable, match="manifest of analytics-green cannot be read"):
        helm.releaser.replicas("green")


def test_a_helm_that_hangs_is_ended_at_the_deadline(helm) -> None:
    helm.script(history=None, sleep=30)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="did not end within 0 s"):
        helm.releaser.restore("green", 0, deadline_s=0.3)
    assert time.monotonic() - started < 3


def test_a_machine_that_can_start_nothing_more_is_told(helm, monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(Unreachable, match=r"`helm uninstall analytics-green .*` cannot be started: Resource temp"):
        helm.releaser.restore("green", 0, deadline_s=30)


def test_a_missing_helm_says_what_to_install() -> None:
    place = (Path("chart"), "analytics", "analytics-{slot}", "analytics-{slot}", Path("kubeconfig"), "staging")
    with pytest.raises(Unreachable, match="install Helm"):
        HelmReleaser(*place, program="no-such-helm").history("green")
