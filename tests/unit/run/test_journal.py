from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drillbook.domain.undo import FAULT, Restoration, Stage
from drillbook.ports import Conflict, LockLost, Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import FolderError
from drillbook.run.journal import UNDO_WITHIN_S, Journal, left_behind, recover

CLOCK = SteadyClock.starting_now()


class Crash(BaseException):
    """The process dies here: nothing in it gets to react."""


class Ticking:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Memory:
    """The target environment's documents; can die before or after any write."""

    def __init__(self) -> None:
        self.documents: dict[str, dict] = {}
        self.die_at: int | None = None
        self.writes = 0

    def _point(self) -> None:
        self.writes += 1
        if self.die_at is not None and self.writes >= self.die_at:
            self.die_at = None
            raise Crash

    def put(self, name, document):
        self._point()
        self.documents[name] = dict(document)
        self._point()

    def get(self, name):
        return self.documents.get(name)

    def names(self, prefix=""):
        return sorted(name for name in self.documents if name.startswith(prefix))

    def delete(self, name):
        self._point()
        self.documents.pop(name, None)
        self._point()


class Platform:
    """A system whose state is a few switches."""

    def __init__(self) -> None:
        self.state = {"route": 0, "replicas": 2, "policy": 0}

    def undo(self, change):
        self.state[change.arguments["what"]] = change.arguments["before"]
        return Restoration(change, restored=True, text="as before", at_s=CLOCK.now())


def journal(tmp_path: Path, store: Memory, run_id: str = "run-1") -> Journal:
    return Journal(tmp_path / f"{run_id}.jsonl", store, run_id, fencing=7)


def change(platform: Platform, kept: Journal, what: str, to: int) -> None:
    entry = kept.intend("set", {"what": what, "before": platform.state[what]}, "drill", (what,))
    platform.state[what] = to
    kept.done(entry)


def test_a_change_is_on_disk_and_in_the_environment_before_it_is_made(tmp_path):
    store = Memory()
    kept = journal(tmp_path, store)
    entry = kept.intend("set", {"what": "route", "before": 0}, "drill")
    assert [found.stage for found in kept.changes()] == [Stage.INTENDED]
    assert [found.fencing for found in left_behind(store)] == [7]
    assert store.names("undo-") == [entry.name]


def test_undoing_goes_backwards_and_clears_the_environment_but_not_the_evidence(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    change(platform, kept, "route", 2)
    done = kept.undo_all(platform.undo, CLOCK)
    assert [restoration.change.sequence for restoration in done] == [2, 1]
    assert platform.state["route"] == 0
    assert store.documents == {}
    assert [found.stage for found in kept.changes()] == [Stage.UNDONE, Stage.UNDONE]


def test_an_undo_that_raises_does_not_keep_the_others_from_being_done(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    change(platform, kept, "policy", 1)

    def undo(entry):
        if entry.arguments["what"] == "policy":
            raise RuntimeError("the API server is gone")
        return platform.undo(entry)

    done = kept.undo_all(undo, CLOCK)
    assert [restoration.restored for restoration in done] == [False, True]
    assert "the API server is gone" in done[0].text
    assert [found.stage for found in left_behind(store)] == [Stage.STUCK]
    assert kept.undo_all(platform.undo, CLOCK)[0].restored
    assert platform.state == Platform().state


def test_a_document_that_is_no_change_is_named_and_keeps_none_of_the_runs_own_from_being_undone(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    store.put("undo-run-0-0001", {**kept.changes()[0].as_document(), "of_a_newer_version": 1})
    with pytest.raises(Unreachable, match=r"undo-run-0-0001 .* is no change that this version knows"):
        recover(store, platform.undo, CLOCK, lambda: None)
    assert [restoration.restored for restoration in kept.undo_all(platform.undo, CLOCK)] == [True]
    assert platform.state == Platform().state
    assert list(store.documents) == ["undo-run-0-0001"]


@pytest.mark.parametrize(
    ("changed", "undone"),
    [
        ({"fencing": 6}, True),
        ({"fencing": 7, "sequence": 0}, True),
        ({"fencing": 8}, False),
        ({"fencing": "seven"}, False),
    ],
    ids=["of a run before", "of this run, before", "of a run after", "of who knows when"],
)
def test_what_was_made_after_a_document_that_cannot_be_read_is_undone_all_the_same(tmp_path, changed, undone):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    unread = {**kept.changes()[0].as_document(), **changed, "of_a_newer_version": 1}
    store.put("undo-other-0001", unread)
    with pytest.raises(Unreachable, match=rf"undo-other-0001 .* {int(undone)} other changes were undone"):
        recover(store, platform.undo, CLOCK, lambda: None)
    assert platform.state["route"] == (0 if undone else 1)
    assert {*store.documents} == {"undo-other-0001", *([] if undone else [kept.changes()[0].name])}
    assert store.documents["undo-other-0001"] == unread


def test_what_could_not_be_undone_beside_it_is_told_as_well(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    store.put("undo-other-0001", {**kept.changes()[0].as_document(), "fencing": 6, "of_a_newer_version": 1})

    def undo(_made):
        raise ValueError("somebody else has changed it")

    with pytest.raises(Unreachable, match="0 other changes were undone; set is not undone: ValueError: somebody else"):
        recover(store, undo, CLOCK, lambda: None)


def test_a_copy_that_somebody_has_kept_is_undone_with_it_and_once(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    (entry,) = kept.changes()[-1:]
    store.put(f"{entry.name}-copy", entry.as_document())
    assert [found.restored for found in recover(store, platform.undo, CLOCK, lambda: None)] == [True]
    assert store.documents == {}


def test_what_a_stuck_change_rests_on_is_left_until_that_is_undone(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    kept.done(kept.intend("deploy", {"what": "replicas", "before": 2}, "drill", ("slot/green",)))
    kept.done(kept.intend("switch", {"what": "route", "before": 0}, "drill", ("route", "slot/green")))
    platform.state |= {"replicas": 4, "route": 1}

    def undo(entry):
        if entry.action == "switch":
            raise Conflict("somebody else has set the weights since")
        return platform.undo(entry)

    done = kept.undo_all(undo, CLOCK)
    assert [restoration.restored for restoration in done] == [False, False]
    assert "left as it is while switch" in done[1].text
    assert platform.state["replicas"] == 4, "the slot was cleared under the traffic"
    assert [r.restored for r in kept.undo_all(platform.undo, CLOCK)] == [True, True]


def test_nothing_is_changed_once_the_lock_is_somebody_elses(tmp_path):
    store = Memory()

    def lost():
        raise LockLost("held by another run")

    kept = Journal(tmp_path / "undo.jsonl", store, "run-1", 7, lost)
    with pytest.raises(LockLost):
        kept.intend("set", {"what": "route", "before": 0}, "drill")
    assert kept.open_changes() == []
    assert store.documents == {}


def test_an_undo_is_tried_again_while_the_system_does_not_answer(tmp_path):
    store, platform, clock = Memory(), Platform(), Ticking()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    away_until_s = clock.now() + 60

    def undo(entry):
        if clock.now() < away_until_s:
            raise Unreachable("the API server does not answer")
        return platform.undo(entry)

    assert kept.undo_all(undo, clock)[0].restored
    assert platform.state == Platform().state
    assert 60 <= clock.now() - (away_until_s - 60) < 65


@pytest.mark.parametrize("whose", ["the run's", "anybody's"])
def test_what_a_fault_held_down_has_its_own_time_once_that_is_over(tmp_path, whose):
    store, platform, clock = Memory(), Platform(), Ticking()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    entry = kept.intend(FAULT, {"what": "policy", "before": 0}, "drill", ("fault",))
    platform.state["policy"] = 1
    kept.done(entry)
    began_s = clock.now()

    def undo(made):
        away_s = UNDO_WITHIN_S - 2 if made.action == FAULT else UNDO_WITHIN_S + 30
        if clock.now() < began_s + away_s:
            raise Unreachable("the API server does not answer")
        return platform.undo(made)

    undone = kept.undo_all(undo, clock) if whose == "the run's" else recover(store, undo, clock, lambda: None)
    assert [found.restored for found in undone] == [True, True]
    assert platform.state == Platform().state


def test_a_system_that_stays_away_is_given_up_and_the_change_stays_open(tmp_path):
    store, platform, clock = Memory(), Platform(), Ticking()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    change(platform, kept, "policy", 1)

    def undo(_):
        raise Unreachable("the API server does not answer")

    began_s = clock.now()
    assert [r.restored for r in kept.undo_all(undo, clock)] == [False, False]
    assert clock.now() - began_s < UNDO_WITHIN_S + 5
    assert [found.action for found in left_behind(store)] == ["set", "set"]


def test_a_full_disk_does_not_keep_anything_from_being_undone(tmp_path, monkeypatch):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)

    def full(*_, **__):
        raise FolderError("the disk is full")

    monkeypatch.setattr("drillbook.run.journal.append_line", full)
    done = kept.undo_all(platform.undo, CLOCK)
    assert done[0].restored
    assert "the disk is full" in done[0].text
    assert (platform.state, store.documents) == (Platform().state, {})


def test_of_two_records_of_a_change_the_later_generation_counts(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    entry = kept.intend("set", {"what": "route", "before": 0}, "drill")
    kept.undo_all(platform.undo, CLOCK)
    store.documents[entry.name] = entry.as_document()
    assert kept.open_changes() == []


def test_whoever_died_between_undoing_and_deleting_the_document_leaves_none(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    entry = kept.open_changes()[0]
    kept.undo_all(platform.undo, CLOCK)
    store.documents[entry.name] = entry.as_document()
    assert kept.undo_all(platform.undo, CLOCK) == []
    assert store.documents == {}


def test_a_document_that_cannot_be_deleted_is_told(tmp_path):
    store, platform, clock = Memory(), Platform(), Ticking()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    kept.undo_all(platform.undo, clock)

    def away(_):
        raise Unreachable("the API server does not answer")

    store.names = away
    assert [(r.restored, "does not answer" in r.text) for r in kept.undo_all(platform.undo, clock)] == [(False, True)]


def test_a_torn_last_line_is_passed_over(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    path = tmp_path / "run-1.jsonl"
    path.write_bytes(path.read_bytes() + b'{"sequence": 2, "run_i')
    assert [found.sequence for found in kept.open_changes()] == [1]


def test_a_line_that_is_torn_behind_a_brace_keeps_nothing_from_being_undone(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    path = tmp_path / "run-1.jsonl"
    path.write_bytes(path.read_bytes() + b'{"sequence": 2, "run_id": "run-1", "arguments": {"slot": {"blue": 100}}')
    assert [r.change.sequence for r in kept.undo_all(platform.undo, CLOCK)] == [1]
    assert (platform.state, store.documents) == (Platform().state, {})


def test_an_entry_that_is_no_change_keeps_nothing_from_being_undone_and_nothing_more_is_changed(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    change(platform, kept, "policy", 1)
    path = tmp_path / "run-1.jsonl"
    lines = [line for line in path.read_text().splitlines() if '"sequence": 1' in line]
    path.write_text("\n".join([*lines, '{"blue": 100}', ""]))
    with pytest.raises(FolderError, match="no change"):
        kept.intend("set", {"what": "replicas", "before": 2}, "drill")
    assert len(store.documents) == 2, "the second copy of the damaged entry is overwritten"
    assert [r.change.sequence for r in kept.undo_all(platform.undo, CLOCK)] == [2, 1]
    assert (platform.state, store.documents) == (Platform().state, {})


def test_nothing_more_is_changed_beside_a_line_that_nobody_can_read(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    change(platform, kept, "route", 1)
    path = tmp_path / "run-1.jsonl"
    path.write_text("damaged\n" * 2)
    with pytest.raises(FolderError, match="damaged"):
        kept.intend("set", {"what": "policy", "before": 0}, "drill")
    assert [r.change.sequence for r in kept.undo_all(platform.undo, CLOCK)] == [1]
    assert platform.state == Platform().state


class CrashesAndRecoveries(RuleBasedStateMachine):
    """Any sequence of changes, crashes and recoveries ends in the starting state."""

    @initialize()
    def start(self):
        self.directory = tempfile.TemporaryDirectory()
        self.store, self.platform, self.run = Memory(), Platform(), 0
        self.begin()

    def begin(self):
        self.run += 1
        self.journal = journal(Path(self.directory.name), self.store, f"run-{self.run:04d}")

    @rule(what=st.sampled_from(["route", "replicas", "policy"]), to=st.integers(3, 9))
    def make(self, what, to):
        change(self.platform, self.journal, what, to)

    @rule(
        what=st.sampled_from(["route", "replicas", "policy"]),
        to=st.integers(3, 9),
        at=st.integers(1, 4),
        half=st.booleans(),
    )
    def die_while_making(self, what, to, at, half):
        self.store.die_at = self.store.writes + at
        try:
            change(self.platform, self.journal, what, to)
        except Crash:
            if half and left_behind(self.store) and at > 1:
                self.platform.state[what] = to
        self.store.die_at = None
        self.recover_from_another_machine()

    @rule(at=st.integers(1, 6))
    def die_while_undoing(self, at):
        self.store.die_at = self.store.writes + at
        with contextlib.suppress(Crash):
            self.journal.undo_all(self.platform.undo, CLOCK)
        self.store.die_at = None
        self.recover_from_another_machine()

    @rule(at=st.integers(1, 6))
    def die_while_undoing_and_have_a_watchdog(self, at):
        self.store.die_at = self.store.writes + at
        with contextlib.suppress(Crash):
            self.journal.undo_all(self.platform.undo, CLOCK)
        self.store.die_at = None
        self.end_well()

    @rule()
    def end_well(self):
        self.journal.undo_all(self.platform.undo, CLOCK)
        assert self.platform.state == Platform().state
        assert self.store.documents == {}
        self.begin()

    @rule()
    def recover_from_another_machine(self):
        recover(self.store, self.platform.undo, CLOCK, lambda: None)
        assert self.platform.state == Platform().state
        assert self.store.documents == {}
        self.begin()

    @invariant()
    def nothing_is_changed_that_the_environment_does_not_know(self):
        if self.platform.state != Platform().state:
            assert left_behind(self.store)

    def teardown(self):
        self.directory.cleanup()


TestCrashesAndRecoveries = CrashesAndRecoveries.TestCase
TestCrashesAndRecoveries.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_a_change_that_the_environment_does_not_take_is_not_made(tmp_path):
    store, platform = Memory(), Platform()
    kept = journal(tmp_path, store)
    store.die_at = 1
    with pytest.raises(Crash):
        change(platform, kept, "route", 1)
    assert platform.state["route"] == 0


def test_a_change_in_another_target_is_no_obstacle_to_ours(tmp_path):
    store = Memory()
    entries = [
        Journal(tmp_path / f"{target}.jsonl", store, f"run-{fencing}", fencing, target=target).intend(
            "set", {}, "drill", ("route",)
        )
        for fencing, target in enumerate(("ours", "theirs"), start=1)
    ]
    assert not entries[0].concerns(entries[1])
    unknown = Journal(tmp_path / "old.jsonl", store, "run-3", 3).intend("set", {}, "drill", ("route",))
    assert unknown.concerns(entries[0])
    assert {found.target for found in left_behind(store)} == {"ours", "theirs", ""}
