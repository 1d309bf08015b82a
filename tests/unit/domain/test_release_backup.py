"""A deployment had its backup when one was complete before it, on one clock, whatever the two clocks are apart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from drillbook.domain import release_backup
from drillbook.domain.backup_report import times
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.pgbackrest import Backup, NotUnderstood, Repository
from drillbook.domain.release_backup import BackupJob
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.wal import Segment

WINDOW = Window(2000.0, 2001.0)
BEHIND_S = 300.0
CHANGE_S = 1100.0
# Its host's clock is 300 s behind ours; that it took 2 s to begin and 1 s to be seen to end is what is not known.
JOB = BackupJob(1000.0, 1002.0 - BEHIND_S, 1010.0 - BEHIND_S, 1011.0)


def backup(stopped_s, label="20261128-120000F", *, faulty=False):
    host_s = stopped_s - BEHIND_S
    return Backup(label, "full", host_s - 5, host_s, faulty, 1, 1, Segment(1, 3))


def repository(*backups, code=0):
    return Repository(1, code, "ok" if code == 0 else "other", "15-1", None, backups)


def lead(*backups, code=0, job=JOB, key=1):
    return release_backup.lead([repository(*backups, code=code)], key, CHANGE_S, job, window=WINDOW)


def verdicts(measured):
    return tuple(
        judge(Objective("o", "", way, limit, "s"), measured).verdict
        for way, limit in (("at_least", 0), ("at_most", 600))
    )


GOOD, BAD, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
TAKEN, NIGHTLY, LATE = backup(1010.0), backup(-20_000.0), backup(1150.0)


@pytest.mark.parametrize(
    ("backups", "seen"),
    [
        ([TAKEN], (GOOD, GOOD)),
        ([NIGHTLY, TAKEN], (GOOD, GOOD)),
        ([NIGHTLY, TAKEN, LATE], (GOOD, GOOD)),
        ([NIGHTLY, LATE], (GOOD, BAD)),
        ([LATE], (BAD, GOOD)),
        ([], (BAD, GOOD)),
        ([backup(1010.0, faulty=True)], (BAD, GOOD)),
        ([backup(1100.0)], (OPEN, GOOD)),
    ],
)
def test_a_backup_was_complete_before_the_deployment_and_not_the_nights_one(backups, seen) -> None:
    assert verdicts(lead(*backups)) == seen


def test_the_backup_that_counts_is_named_and_its_end_is_known_as_well_as_the_clocks_are() -> None:
    found = lead(NIGHTLY, backup(1010.0, "20261128-120500D"))
    assert "20261128-120500D" in found.name
    # Cut to whole seconds, it ended up to 1 s later; the host's clock is 298 to 301 s behind.
    assert found.interval == Interval(1100.0 - 1012.0, 1100.0 - 1008.0)
    assert lead().interval == Interval.exactly(-math.inf)


@pytest.mark.parametrize(
    "measured",
    [
        lead(TAKEN, code=99),
        lead(TAKEN, key=2),
        lead(TAKEN, job=replace(JOB, ended_s=JOB.ended_s + 60)),
    ],
)
def test_what_cannot_be_read_or_compared_decides_nothing(measured) -> None:
    assert verdicts(measured) == (OPEN, OPEN)
    assert measured.doubts


def test_what_lies_between_the_moment_and_the_deployment_was_not_shown() -> None:
    found = release_backup.unproven(1097.0, 1097.5, CHANGE_S)
    assert found.interval == Interval(2.5, 3.0)
    late = release_backup.unproven(1000.0, 1000.5, CHANGE_S)
    assert judge(Objective("o", "", "at_most", 5, "s"), found).verdict is GOOD
    assert judge(Objective("o", "", "at_most", 5, "s"), late).verdict is BAD


def test_the_jobs_own_times_are_its_first_and_last_line() -> None:
    assert times("1795451719.5\nrepository 1: \n1795451729.25\n") == (1795451719.5, 1795451729.25)


@pytest.mark.parametrize("printed", ["", "1795451719.5", "x\n2", "2\nrepository 1: \n1", "1\nnan"])
def test_other_times_are_refused(printed) -> None:
    with pytest.raises(NotUnderstood):
        times(printed)
