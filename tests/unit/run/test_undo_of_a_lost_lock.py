"""Who has lost the environment's lock undoes nothing: what is changed there by now may be its new holder's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.domain.undo import FAULT, Change, Restoration, Stage
from drillbook.ports import LockLost, Unreachable
from drillbook.run.journal import UNDO_WITHIN_S, Journal, left_behind, recover
from tests.unit.clocks import Clock

if TYPE_CHECKING:
    from pathlib import Path

LOST = "the environment's lock is held by another run now"


class Documents(dict[str, dict[str, object]]):
    """The target environment's own."""

    def put(self, name, document):
        self[name] = dict(document)

    def names(self, prefix=""):
        return sorted(name for name in self if name.startswith(prefix))

    def delete(self, name):
        self.pop(name, None)


class Lock:
    """One that is somebody else's from a moment on, or cannot be looked at until one."""

    def __init__(self, clock: Clock, *, ours_for_s: float = float("inf"), away_for_s: float = 0.0) -> None:
        self.clock = clock
        self.lost_s = clock.now() + ours_for_s
        self.seen_s = clock.now() + away_for_s
        self.looks = 0

    def check(self) -> None:
        self.looks += 1
        if self.clock.now() < self.seen_s:
            raise Unreachable("the cluster does not answer")
        if self.clock.now() >= self.lost_s:
            raise LockLost(LOST)


class System:
    """What is changed; an undo of it is seen to work only after some seconds."""

    def __init__(self, clock: Clock, *, works_after_s: float = 0.0) -> None:
        self.clock = clock
        self.works_s = clock.now() + works_after_s
        self.undone: list[str] = []

    def undo(self, change: Change) -> Restoration:
        self.undone.append(change.action)
        restored = self.clock.now() >= self.works_s
        return Restoration(change, restored, "as before" if restored else "not as before yet", self.clock.now())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def left_by(store: Documents, run_id: str, *actions: str) -> None:
    for number, action in enumerate(actions, start=1):
        change = Change(number, run_id, "drill", action, {}, 7, Stage.DONE, touches=(action,))
        store.put(change.name, change.as_document())


def begun(tmp_path: Path, store: Documents, lock: Lock, *actions: str) -> Journal:
    """The journal of a run that has made these changes while the lock was its own."""
    made = Journal(tmp_path / "undo.jsonl", store, "run-1", 7)
    for action in actions:
        made.done(made.intend(action, {}, "drill", (action,)))
    return Journal(tmp_path / "undo.jsonl", store, "run-1", 7, lock.check)


def test_a_recovery_without_the_lock_does_not_even_look_what_there_is(clock, monkeypatch):
    store, system, lock = Documents(), System(clock), Lock(clock, ours_for_s=0.0)
    left_by(store, "run-of-the-new-holder", FAULT, "switch-traffic")
    before = dict(store)
    monkeypatch.setattr(Documents, "names", lambda *_: pytest.fail("listed"))
    with pytest.raises(LockLost, match=LOST):
        recover(store, system.undo, clock, lock.check)
    assert (system.undone, store) == ([], before)


@pytest.mark.parametrize("action", ["switch-traffic", FAULT])
def test_a_recovery_that_loses_the_lock_tries_no_further_and_writes_nothing_down(clock, action):
    store, system, lock = Documents(), System(clock, works_after_s=90.0), Lock(clock, ours_for_s=5.0)
    left_by(store, "run-1", "deploy-release", action)
    before = dict(store)
    with pytest.raises(LockLost, match=LOST):
        recover(store, system.undo, clock, lock.check)
    assert set(system.undone) == {action}
    assert len(system.undone) <= 5
    assert store == before


def test_a_recovery_that_fails_as_the_lock_is_lost_does_not_bring_its_document_back(clock):
    """The new holder has undone the change and deleted the document; once written again it would be undone again."""
    store, lock = Documents(), Lock(clock, ours_for_s=1.0)
    left_by(store, "run-1", "switch-traffic")

    def undo(change):
        clock.sleep(UNDO_WITHIN_S)
        store.delete(change.name)
        return Restoration(change, restored=False, text="not as before", at_s=clock.now())

    with pytest.raises(LockLost):
        recover(store, undo, clock, lock.check)
    assert left_behind(store) == []


def test_a_fault_that_hides_the_lock_is_undone_by_a_recovery(clock):
    store, system, lock = Documents(), System(clock), Lock(clock)
    left_by(store, "run-1", FAULT)

    def look():
        lock.check()
        if lock.looks > 1 and not system.undone:
            raise Unreachable("the cluster is cut from the network")

    assert [found.restored for found in recover(store, system.undo, clock, look)] == [True]
    assert store == {}


def test_a_run_that_loses_the_lock_while_it_undoes_tries_no_further(tmp_path, clock):
    store, system, lock = Documents(), System(clock, works_after_s=90.0), Lock(clock, ours_for_s=5.0)
    kept = begun(tmp_path, store, lock, "switch-traffic")
    before = dict(store)
    (found,) = kept.undo_all(system.undo, clock)
    assert (found.restored, found.text) == (False, LOST)
    assert len(system.undone) == lock.looks - 1 <= 5
    assert store == before, "the new holder may have deleted it"


def test_a_run_whose_last_try_outlasts_the_lock_does_not_bring_its_document_back(tmp_path, clock):
    store, lock = Documents(), Lock(clock, ours_for_s=1.0)
    kept = begun(tmp_path, store, lock, "deploy-release")

    def undo(change):
        clock.sleep(UNDO_WITHIN_S)
        store.delete(change.name)
        return Restoration(change, restored=False, text="not as before", at_s=clock.now())

    (found,) = kept.undo_all(undo, clock)
    assert (found.restored, found.text) == (False, f"not as before; and that could not be written down: {LOST}")
    assert left_behind(store) == []


def test_a_lock_that_cannot_be_looked_at_is_asked_again_before_anything_is_undone(tmp_path, clock):
    store, system, lock = Documents(), System(clock), Lock(clock, away_for_s=60.0)
    kept = begun(tmp_path, store, lock, "switch-traffic")
    (found,) = kept.undo_all(system.undo, clock)
    assert (found.restored, system.undone) == (True, ["switch-traffic"])
    assert clock.now() == pytest.approx(1060.0, abs=1.0)


def test_a_runs_own_fault_is_undone_whoever_has_the_lock(tmp_path, clock):
    store, system, lock = Documents(), System(clock, works_after_s=30.0), Lock(clock, ours_for_s=0.0)
    kept = begun(tmp_path, store, lock, FAULT)
    assert [found.restored for found in kept.undo_all(system.undo, clock)] == [True]
