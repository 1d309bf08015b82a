"""A schedule that makes no backup by itself is found, though somebody has made one by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.drills import backup
from drillbook.drills.seen import NotReady
from drillbook.ports import DatabaseStatus, Unreachable
from drillbook.run.folder import write_json
from probes import backups
from tests.unit.clocks import Clock
from tests.unit.features.test_steps import matching
from tests.unit.probes.test_of_backups import DAILY, SEEN

SENTENCE = "no schedule by which the backups are made is suspended"
SUSPENDED = replace(DAILY, suspended=True)


@pytest.mark.parametrize(
    ("schedules", "expected"),
    [
        ((DAILY,), Verdict.PASS),
        ((SUSPENDED,), Verdict.FAIL),
        ((DAILY, SUSPENDED), Verdict.FAIL),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_none_is_suspended(tmp_path, schedules, expected) -> None:
    (tmp_path / backups.FILE).parent.mkdir()
    write_json(tmp_path / backups.FILE, asdict(replace(SEEN, schedules=schedules)))
    judged = []

    def check(id_, statement, comparison, limit, measured):
        judged.append((id_, judge(Objective(id_, statement, comparison, limit, measured.unit), measured).verdict))

    (step,) = matching("then", SENTENCE)
    step.step_func(SimpleNamespace(folder=tmp_path, check=check))
    assert judged == [("backup.suspended", expected)]


class Host:
    def __init__(self, schedules) -> None:
        self.told = schedules

    def report(self, _mark):
        return SEEN.report

    def schedules(self):
        if self.told is None:
            raise Unreachable("the cluster refused to show the CronJob data/backup-full (404): it does not exist")
        return self.told


@pytest.fixture
def drill(tmp_path, monkeypatch):
    """Users write at each look, and the standby has it at once."""
    position = iter(range(1, 1000))

    def status():
        return DatabaseStatus(primary=False, timeline=1, system="1", position=next(position), receiving=True)

    database = SimpleNamespace(status=status, archive_timeout_s=lambda: 60.0)
    recovery = SimpleNamespace(
        home="east", away="west", stanza="main", backups=Host((SUSPENDED,)),
        sites={region: SimpleNamespace(database=database) for region in ("east", "west")},
    )  # fmt: skip
    monkeypatch.setattr(backup.recovery_drill, "recovery_of", lambda _: recovery)
    ended = []
    return SimpleNamespace(
        id="d", folder=tmp_path, recovery=recovery, ended=ended, end_load=lambda: ended.append(True),
        session=SimpleNamespace(clock=Clock(), folder=SimpleNamespace(run_id="r")),
        timeline=SimpleNamespace(record=lambda *_, **__: None),
    )  # fmt: skip


def test_a_look_keeps_whether_the_schedule_is_suspended(drill) -> None:
    backup.look(drill)
    assert backups.look(drill.folder).schedules == (SUSPENDED,)
    assert drill.ended == [True]


def test_where_the_schedule_cannot_be_read_nothing_is_proved(drill) -> None:
    drill.recovery.backups = Host(None)
    with pytest.raises(NotReady, match=r"the backups cannot be looked at.*it does not exist"):
        backup.look(drill)
    assert drill.ended == [True]
