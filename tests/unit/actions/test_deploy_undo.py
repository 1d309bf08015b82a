"""What is put back of a deployment, and what is somebody else's by now; with the real driver and a helm in a file."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.actions.deploy import Deploy
from drillbook.drivers.helm import HelmReleaser
from drillbook.ports import Conflict, SlotStatus, Unreachable

# Keeps one release's history as the real one does: what it is described by, and what becomes of the entry before.
HELM = """#!{python}
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
state = os.path.join(here, "history.json")
history = json.load(open(state)) if os.path.exists(state) else []
words = sys.argv[1:]
with open(os.path.join(here, "calls"), "a") as file:
    file.write(words[0] + "\\n")
with open(os.path.join(here, "words"), "a") as file:
    file.write(json.dumps(words) + "\\n")

def add(description, status="deployed"):
    for entry in history:
        if entry["status"] == "deployed" and status == "deployed":
            entry["status"] = "superseded"
    number = max((entry["revision"] for entry in history), default=0) + 1
    history.append({{"revision": number, "status": status, "description": description}})

if words[0] == "history":
    if not history:
        sys.exit("Error: release: not found")
    print(json.dumps(history))
elif words[:2] == ["get", "manifest"]:
    print("kind: Deployment\\nmetadata: {{name: shop-green}}\\nspec: {{replicas: 2}}")
elif words[0] == "upgrade":
    given = [word for word in words if word.startswith("--description=")]
    add(given[0].partition("=")[2] if given else "Upgrade complete")
elif words[0] == "rollback":
    add("Rollback to " + words[2])
elif words[0] == "uninstall":
    history.clear()
json.dump(history, open(state, "w"))
"""


class Slot:
    """A slot's release, its pods' version and the weights that lead to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "helm"
        program.write_text(HELM.format(python=sys.executable))
        program.chmod(0o755)
        self.version = "2.0.0"
        self.desired = 2
        self.weights = {"blue": 100, "green": 0}
        self.releaser = HelmReleaser(
            chart=Path("chart"), namespace="shop", release="shop-{slot}",
            deployment="shop-{slot}", kubeconfig=Path("kubeconfig"), context="staging", program=str(program),
        )  # fmt: skip
        nothing = SimpleNamespace(now=lambda: 0.0)
        self.action = Deploy(
            self.releaser, self, SimpleNamespace(weights=lambda: self.weights), nothing, "X-Slot", "/", nothing,
            "green", "2.0.0", "2.0.0",
        )  # fmt: skip

    def slot(self, name: str) -> SlotStatus:
        pods = tuple(f"pod-{number}" for number in range(self.desired))
        return SlotStatus(name, self.version, self.desired, self.desired, pods)

    @property
    def history(self) -> list[dict[str, object]]:
        return json.loads((self.folder / "history.json").read_text())

    @history.setter
    def history(self, entries: list[tuple[int, str, str]]) -> None:
        found = [{"revision": r, "status": s, "description": d} for r, s, d in entries]
        (self.folder / "history.json").write_text(json.dumps(found))

    def somebody_deploys(self) -> None:
        """Without a word of whose it is, as a pipeline does."""
        number = max((int(str(entry["revision"])) for entry in self.history), default=0) + 1
        past = [(int(str(e["revision"])), "superseded", str(e["description"])) for e in self.history]
        self.history = [*past, (number, "deployed", "Upgrade complete")]

    def changes(self) -> list[str]:
        return [word for word in (self.folder / "calls").read_text().split() if word not in {"history", "get"}]


@pytest.fixture
def slot(tmp_path) -> Slot:
    return Slot(tmp_path)


def deployed(slot: Slot) -> dict[str, object]:
    """What was there before; the slot has the deployment by now."""
    slot.version = ""
    before = json.loads(json.dumps(slot.action.capture()))
    slot.version = "2.0.0"
    slot.action.do()
    return before


def test_an_empty_slot_is_emptied_again(slot) -> None:
    slot.action.undo(deployed(slot))
    assert slot.changes() == ["upgrade", "uninstall"]
    assert slot.history == []


def test_what_was_there_comes_back_and_is_not_brought_back_twice(slot) -> None:
    slot.history = [(4, "superseded", "Upgrade complete"), (5, "deployed", "Rollback to 4")]
    before = deployed(slot)
    slot.action.undo(before)
    slot.action.undo(before)
    assert slot.changes() == ["upgrade", "rollback"]
    assert slot.history[-1]["description"] == "Rollback to 5"


@pytest.mark.parametrize(
    "there", [[], [(5, "superseded", "Upgrade complete"), (6, "failed", 'Rollback "shop-green" failed: no such pod')]]
)
def test_a_slot_that_runs_what_helm_knows_no_revision_of_is_left(slot, there) -> None:
    slot.history = there
    slot.version = "1.9.0"
    with pytest.raises(Conflict, match=r"slot green runs 1\.9\.0, and Helm has no revision of it"):
        slot.action.capture()


@pytest.mark.parametrize("earlier", [[], [(5, "deployed", "Upgrade complete")]])
def test_a_slot_that_has_the_public_is_left(slot, earlier) -> None:
    slot.history = earlier
    before = deployed(slot)
    slot.weights = {"blue": 0, "green": 100}
    with pytest.raises(Conflict, match="slot green has 100 % of the public's traffic"):
        slot.action.undo(before)
    assert slot.changes() == ["upgrade"]


@pytest.mark.parametrize("earlier", [[], [(5, "deployed", "Upgrade complete")]])
def test_a_newer_deployment_of_the_same_version_is_left(slot, earlier) -> None:
    slot.history = earlier
    before = deployed(slot)
    slot.somebody_deploys()
    with pytest.raises(Conflict, match=f"revision {len(earlier) * 5 + 2} of slot green"):
        slot.action.undo(before)
    assert slot.changes() == ["upgrade"]


def test_a_slot_that_somebody_has_emptied_and_filled_again_is_left(slot) -> None:
    before = deployed(slot)
    slot.history = [(1, "deployed", "Install complete")]
    with pytest.raises(Conflict, match="revision 1 of slot green"):
        slot.action.undo(before)
    assert slot.changes() == ["upgrade"]


def test_a_deployment_that_was_never_made_changes_nothing_even_where_the_public_is(slot) -> None:
    slot.history = [(5, "deployed", "Upgrade complete")]
    before = slot.action.capture()
    slot.weights = {"blue": 0, "green": 100}
    slot.action.undo(before)
    assert not slot.changes()


@pytest.mark.parametrize("status", ["pending-upgrade", "failed"])
def test_a_helm_that_died_in_the_middle_is_ours_to_clear_up(slot, status) -> None:
    slot.history = [(5, "deployed", "Upgrade complete")]
    before = slot.action.capture()
    slot.history = [(5, "deployed", "Upgrade complete"), (6, status, "Preparing upgrade")]
    slot.action.undo(before)
    assert slot.changes() == ["rollback"]


def updated(slot: Slot) -> dict[str, object]:
    """The same of a slot that has the public."""
    slot.weights = {"blue": 0, "green": 100}
    slot.action = replace(slot.action, in_place=True)
    slot.history = [(4, "superseded", "Install complete"), (5, "deployed", "Upgrade complete")]
    return deployed(slot)


def test_an_update_of_what_is_live_is_taken_back_under_its_traffic(slot) -> None:
    before = updated(slot)
    slot.action.undo(before)
    slot.action.undo(before)
    assert slot.changes() == ["upgrade", "rollback"]
    assert slot.history[-1]["description"] == "Rollback to 5"


def test_what_somebody_has_released_over_an_update_is_left(slot) -> None:
    before = updated(slot)
    slot.somebody_deploys()
    with pytest.raises(Conflict, match="revision 7 of slot green"):
        slot.action.undo(before)
    assert slot.changes() == ["upgrade"]


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([], "knows no revision of it"),
        (
            [(5, "superseded", "x"), (6, "pending-upgrade", "Preparing upgrade")],
            "knows revision 6, which is unfinished",
        ),
        ([(5, "deployed", "x"), (6, "failed", "Upgrade failed")], "knows revision 6, which is unfinished"),
    ],
    ids=["none", "pending", "failed"],
)
def test_what_is_live_and_could_not_be_taken_back_is_not_updated(slot, history, told) -> None:
    if history:
        slot.history = history
    with pytest.raises(Conflict, match=told):
        replace(slot.action, in_place=True).capture()


def live(slot: Slot) -> Deploy:
    slot.history = [(4, "superseded", "Install complete"), (5, "deployed", "Upgrade complete")]
    slot.version = "1.0.0"
    return replace(slot.action, in_place=True)


def test_what_is_live_and_was_scaled_by_somebody_is_not_updated(slot) -> None:
    action = live(slot)
    assert action.capture()["replicas"] == 2
    slot.desired = 5
    with pytest.raises(Conflict, match="was scaled to 5 pods, and its release asks for 2"):
        action.capture()


def test_what_is_live_already_is_no_update(slot) -> None:
    action = live(slot)
    slot.version = "2.0.0"
    with pytest.raises(Conflict, match=r"has release 2\.0\.0 already"):
        action.capture()


def test_no_revision_of_the_owners_is_pruned(slot) -> None:
    past = [(number, "superseded", "Upgrade complete") for number in range(1, 40)]
    slot.history = [*past, (40, "deployed", "Upgrade complete")]
    before = deployed(slot)
    slot.action.undo(before)
    words = [json.loads(line) for line in (slot.folder / "words").read_text().splitlines()]
    changes = [line for line in words if line[0] in {"upgrade", "rollback"}]
    assert len(changes) == 2
    assert all("--history-max=0" in line for line in changes)


def test_weights_that_cannot_be_seen_leave_the_slot_alone(slot) -> None:
    before = deployed(slot)

    def away() -> dict[str, int]:
        raise Unreachable("the cluster does not answer")

    with pytest.raises(Unreachable):
        replace(slot.action, router=SimpleNamespace(weights=away)).undo(before)
    assert slot.changes() == ["upgrade"]


def test_another_process_knows_the_deployment_by_its_arguments(slot) -> None:
    before = deployed(slot)
    again = replace(slot.action, mark=str(slot.action.arguments["mark"]))
    again.undo(before)
    assert slot.history == []


def test_two_deployments_are_told_apart(slot, tmp_path) -> None:
    assert Slot(tmp_path).action.mark != slot.action.mark


def test_a_change_that_an_older_version_has_written_down_is_undone_where_nobody_is(slot) -> None:
    before = deployed(slot)
    older = {key: before[key] for key in ("revision", "version", "replicas")}
    slot.weights = {"blue": 50, "green": 50}
    with pytest.raises(Conflict, match="50 %"):
        replace(slot.action, mark="").undo(older)
    slot.weights = {"blue": 100, "green": 0}
    replace(slot.action, mark="").undo(older)
    assert slot.history == []
