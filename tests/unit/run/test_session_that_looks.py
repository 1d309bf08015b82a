"""A run that only looks needs no platform; and any run says which releases it has let stay, and how much it drilled."""

from __future__ import annotations

import json

import pytest

from drillbook.domain.verdict import Verdict
from drillbook.run import untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import find, load
from drillbook.run.folder import FolderError
from drillbook.run.session import Session


@pytest.fixture
def session(tmp_path):
    lost = []
    lock = untouched.NoLock(SteadyClock.starting_now())
    opened = Session.open(
        load(find("twin")),
        tmp_path,
        lock,
        wait_s=0.0,
        requested=["a drill"],
        left_out=["another"],
        versions={},
        lost=lost.append,
        watchdog=untouched.no_watchdog,
        begun=lambda _folder: None,
    )
    yield opened
    assert lock.holder() is None
    assert not lost


def record(session):
    return json.loads((session.folder.path / "run.json").read_text())


def test_it_comes_to_its_verdict_without_a_lock_or_a_watchdog(session) -> None:
    assert session.lock.holder() == session.holder
    session.lock.check()
    session.finish_drill("one", {}, Verdict.PASS)
    assert session.close() is Verdict.PASS
    assert (record(session)["verdict"], record(session)["released"]) == ("PASS", [])
    assert record(session)["left_out"] == ["another"]
    assert session.watchdog.pid == 0


def test_only_what_a_passed_drill_let_stay_is_released(session) -> None:
    session.finish_drill("one", {"let_stay": "1.1.0"}, Verdict.PASS)
    session.finish_drill("two", {"let_stay": "1.1.0"}, Verdict.PASS)
    session.finish_drill("three", {"let_stay": "1.2.0"}, Verdict.INCONCLUSIVE)
    session.finish_drill("four", {"let_stay": ""}, Verdict.PASS)
    session.close()
    assert record(session)["released"] == ["1.1.0"]


def test_a_run_that_has_not_drilled_all_that_it_was_asked_for_proves_nothing(session) -> None:
    assert session.close() is Verdict.INCONCLUSIVE
    assert (record(session)["verdict"], record(session)["exit_code"]) == ("INCONCLUSIVE", 75)
    assert (record(session)["interrupted"], record(session)["drilled"]) == (False, 0)


def test_a_drill_whose_record_cannot_be_written_is_none_that_passed(session) -> None:
    (session.folder.drill("one") / "drill.json").mkdir()
    with pytest.raises(FolderError):
        session.finish_drill("one", {"let_stay": "1.1.0"}, Verdict.PASS)
    assert session.close() is Verdict.INCONCLUSIVE
    assert (record(session)["released"], record(session)["drilled"]) == ([], 0)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_what_was_seen_of_a_drill_without_a_record_counts(session, verdict) -> None:
    session.count_unrecorded(verdict)
    assert session.close() is verdict
    assert record(session)["drilled"] == 1
