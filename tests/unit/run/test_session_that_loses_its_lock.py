"""A run whose lock may have lapsed is stopped in time, and never passes: somebody else may have come in."""

from __future__ import annotations

import json
import queue
import threading
from types import SimpleNamespace

import pytest

from drillbook.domain.verdict import Verdict
from drillbook.ports import LockLost, Unreachable
from drillbook.run import session as sessions
from drillbook.run import untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import find, load
from drillbook.run.resumption import NotResumable, earlier
from drillbook.run.session import Session

ENVIRONMENT = load(find("twin"))
WITHIN_S = 5.0
"""For what comes at once where it comes at all."""


class Lock(untouched.NoLock):
    """Its renewals do what a test says, and the clock goes as it says too."""

    def __init__(self) -> None:
        super().__init__(SteadyClock.starting_now())
        self.now_s = 1000.0
        self.renew = lambda: None
        self.asked = threading.Event()
        self.answers = threading.Event()

    def hang(self) -> None:
        self.asked.set()
        self.answers.wait(WITHIN_S)


class Watchdog(untouched.NoWatchdog):
    """Counts its beats."""

    def __init__(self) -> None:
        super().__init__((), None)
        self.beats = queue.Queue()

    def beat(self) -> None:
        self.beats.put(None)

    def wait_beats(self, number: int) -> None:
        for _ in range(number + self.beats.qsize()):
            self.beats.get(timeout=WITHIN_S)


@pytest.fixture
def lock(monkeypatch):
    made = Lock()
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: made.now_s))
    monkeypatch.setattr(sessions, "RENEW_EVERY_S", 0.05)
    monkeypatch.setattr(sessions, "BEAT_EVERY_S", 0.01)
    monkeypatch.setattr(sessions, "_AGAIN_AFTER_S", 0.01)
    return made


@pytest.fixture
def lost():
    return queue.Queue()


@pytest.fixture
def begin(lock, lost, tmp_path):
    opened = []

    def begin() -> Session:
        session = Session.open(
            ENVIRONMENT, tmp_path, lock, wait_s=0.0, requested=["a drill"], versions={}, lost=lost.put,
            watchdog=lambda *_: Watchdog(), begun=lambda _: None,
        )  # fmt: skip
        session.finish_drill("one", {"scenario": "a drill", "let_stay": "1.1.0"}, Verdict.PASS)
        opened.append(session)
        return session

    yield begin
    lock.answers.set()
    for session in opened:
        session._ended.set()
        for thread in session._threads:
            thread.join(WITHIN_S)


def record(session):
    return json.loads((session.folder.path / "run.json").read_text())


def test_a_renewal_that_hangs_is_told_before_the_lock_lapses_and_once(lock, lost, begin):
    lock.renew = lock.hang
    session = begin()
    assert lock.asked.wait(WITHIN_S)
    lock.now_s += 10.0
    session.watchdog.wait_beats(3)
    assert lost.empty()
    lock.now_s += 1.0
    assert lost.get(timeout=WITHIN_S) == (
        "the environment's lock could not be renewed for 11 s: no renewal has come to its end"
    )
    session.watchdog.wait_beats(3)
    assert lost.empty()


def test_a_lock_lasts_from_when_its_renewal_was_begun(lock, lost, begin):
    """When the server wrote it is not known, and it may have been at once."""

    def take_long() -> None:
        lock.now_s += 8.0
        lock.renew = lock.hang

    lock.renew = take_long
    begin()
    assert lock.asked.wait(WITHIN_S)
    lock.now_s += 3.0
    assert "for 11 s" in lost.get(timeout=WITHIN_S)


def test_what_keeps_a_lock_from_being_renewed_is_told(lock, lost, begin):
    def refuse() -> None:
        lock.now_s += 4.0
        raise Unreachable("the cluster does not answer")

    lock.renew = refuse
    begin()
    assert lost.get(timeout=WITHIN_S).endswith("the cluster does not answer")


def test_a_renewal_that_was_not_answered_is_soon_made_again(lock, lost, begin, monkeypatch):
    def refuse() -> None:
        monkeypatch.setattr(sessions, "RENEW_EVERY_S", 2 * WITHIN_S)
        lock.now_s += 9.0
        lock.renew = renew
        raise Unreachable("the cluster does not answer")

    def renew() -> None:
        lock.asked.set()

    lock.renew = refuse
    session = begin()
    assert lock.asked.wait(WITHIN_S)
    monkeypatch.setattr(sessions, "RENEW_EVERY_S", 0.05)
    session.watchdog.wait_beats(3)
    assert lost.empty()


def test_a_run_whose_lock_may_have_lapsed_at_its_end_never_passes(lock, begin):
    lock.renew = lock.hang
    session = begin()
    lock.now_s += 11.0
    assert session.close() is Verdict.INCONCLUSIVE
    assert "could not be renewed for 11 s" in session.unkept
    found = record(session)
    assert (found["verdict"], found["exit_code"], found["unkept"]) == ("INCONCLUSIVE", 75, session.unkept)
    assert found["interrupted"] is True, "who judges it again has to come to the same"


def test_a_run_that_hears_at_its_end_that_the_lock_was_lost_never_passes(lock, lost, begin, monkeypatch):
    monkeypatch.setattr(sessions, "RENEW_EVERY_S", 0.5)

    def lose() -> None:
        lock.asked.set()
        session._ended.wait(WITHIN_S)
        raise LockLost("the environment's lock is held by ann now")

    lock.renew = lose
    session = begin()
    assert lock.asked.wait(WITHIN_S)
    assert session.close() is Verdict.INCONCLUSIVE
    assert (record(session)["unkept"], lost.empty()) == ("the environment's lock is held by ann now", True)


def test_a_lost_lock_is_told_once_and_never_passes(lock, lost, begin):
    def lose() -> None:
        raise LockLost("the environment's lock is held by ann now")

    lock.renew = lose
    session = begin()
    assert lost.get(timeout=WITHIN_S) == "the environment's lock is held by ann now"
    lock.now_s += 60.0
    session.watchdog.wait_beats(3)
    assert lost.empty()
    assert session.close() is Verdict.INCONCLUSIVE


def test_a_broken_promise_stays_one_whoever_has_the_lock(lock, begin):
    lock.renew = lock.hang
    session = begin()
    session.finish_drill("two", {}, Verdict.FAIL)
    lock.now_s += 11.0
    assert session.close() is Verdict.FAIL


def test_a_renewal_that_is_still_going_on_at_the_end_is_no_doubt(lock, lost, begin):
    lock.renew = lock.hang
    session = begin()
    assert lock.asked.wait(WITHIN_S)
    lock.now_s += 9.0
    assert session.close() is Verdict.PASS
    assert (record(session)["unkept"], lost.empty()) == ("", True)


def test_nobody_goes_on_with_a_run_that_may_have_lost_its_lock(lock, begin):
    lock.renew = lock.hang
    session = begin()
    lock.now_s += 11.0
    session.close()
    with pytest.raises(NotResumable, match="the lock was not its own to the end"):
        earlier(session.folder.path, ENVIRONMENT, ["a drill"], now_s=session.clock.now())
