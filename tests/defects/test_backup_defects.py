"""Backups, archives and a standby that are not what was promised are found by the drills, on the twin."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from drillbook.twin import backups
from drillbook.twin.layout import CLIENT, PROFILES
from drillbook.twin.network import inside
from tests.defects.conftest import PSQL, Saboteur

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PASS, FAIL, INCONCLUSIVE = 0, 1, 75
FRESH, RESTORED = "archives_and_the_standby_are_as_fresh", "each_repository_alone_brings"
WEST = PROFILES["staging"].regions[1]
EAST_REPOSITORY, WEST_REPOSITORY = 1, 2
_READABLE_WITHIN_S = 60.0


def back_up(operator: Saboteur) -> None:
    """A full backup in each repository: what was not archived is a gap that no recovery gets over."""
    job = f"backup-after-a-defect-{time.time():.0f}"
    operator.kubectl("create", "job", job, "--from=cronjob/backup-full", "--namespace=data")
    operator.wait_for("1", "get", "job", job, "--namespace=data", "--output=jsonpath={.status.succeeded}")


@contextlib.contextmanager
def altered(operator: Saboteur, setting: str, value: str) -> Iterator[None]:
    """The primary has another value of a setting."""
    try:
        operator.kubectl(*PSQL, f"ALTER SYSTEM SET {setting} = '{value}'")
        operator.kubectl(*PSQL, "SELECT pg_reload_conf()")
        yield
    finally:
        operator.kubectl(*PSQL, f"ALTER SYSTEM RESET {setting}")
        operator.kubectl(*PSQL, "SELECT pg_reload_conf()")


@contextlib.contextmanager
def archiving_by(command: str) -> Iterator[None]:
    """The primary archives so; afterwards as it is to, with new backups of what this left out."""
    operator = Saboteur(Path())
    try:
        with altered(operator, "archive_command", command):
            yield
    finally:
        back_up(operator)


@pytest.fixture
def archiving_that_claims_to_work() -> Iterator[None]:
    """Every segment is reported as archived, and none is; pgBackRest finds its own name in the command."""
    with archiving_by(": pgbackrest %p"):
        yield


def test_archiving_that_claims_to_work_is_found(drilled, archiving_that_claims_to_work):
    del archiving_that_claims_to_work
    outcome = drilled(FRESH, only="backup_schedule")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("backup.check") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("backup.age") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("backup.standby") == {"PASS"}, str(outcome)


@pytest.fixture
def segments_that_end_only_when_they_are_full() -> Iterator[None]:
    with altered(Saboteur(Path()), "archive_timeout", "0"):
        yield


def test_segments_that_end_only_when_they_are_full_are_found(drilled, segments_that_end_only_when_they_are_full):
    """The look itself has a segment ended, so that nothing else can show it."""
    del segments_that_end_only_when_they_are_full
    outcome = drilled(FRESH, only="backup_schedule")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.not_passed().keys() == {"backup.ends_segments"}, str(outcome)


@pytest.fixture
def schedule_that_is_suspended() -> Iterator[None]:
    """The last backup is there, and no other one will be."""
    operator = Saboteur(Path())
    patch = ("patch", "cronjob/backup-full", "--namespace=data", "--type=merge", "--patch")
    try:
        operator.kubectl(*patch, '{"spec": {"suspend": true}}')
        yield
    finally:
        operator.kubectl(*patch, '{"spec": {"suspend": false}}')


def test_a_schedule_that_is_suspended_is_found_on_the_same_day(drilled, schedule_that_is_suspended):
    del schedule_that_is_suspended
    outcome = drilled(FRESH, only="backup_schedule")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.not_passed().keys() == {"backup.suspended"}, str(outcome)


@pytest.fixture
def replay_that_is_paused() -> Iterator[None]:
    """The standby receives all and replays nothing."""
    standby = Saboteur(Path(), WEST)
    try:
        standby.kubectl(*PSQL, "SELECT pg_wal_replay_pause()")
        yield
    finally:
        standby.kubectl(*PSQL, "SELECT pg_wal_replay_resume()")


def test_a_standby_whose_replay_is_paused_is_never_called_fresh(drilled, replay_that_is_paused):
    """It is not known what it lacks besides the drill's first commit, so that its lag has no upper end."""
    del replay_that_is_paused
    outcome = drilled(FRESH, only="backup_schedule")
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.not_passed().keys() == {"backup.standby"}, str(outcome)


@pytest.fixture
def store_of_the_west_that_is_away() -> Iterator[None]:
    operator = Saboteur(Path(), WEST)
    try:
        operator.kubectl("scale", "statefulset/objectstore", "--namespace=data", "--replicas=0")
        operator.kubectl("wait", "pod/objectstore-0", "--namespace=data", "--for=delete", "--timeout=50s")
        yield
    finally:
        operator.kubectl("scale", "statefulset/objectstore", "--namespace=data", "--replicas=1")
        operator.kubectl("rollout", "status", "statefulset/objectstore", "--namespace=data", "--timeout=50s")


def test_a_repository_that_takes_nothing_is_found_and_the_other_one_is_well(drilled, store_of_the_west_that_is_away):
    del store_of_the_west_that_is_away
    outcome = drilled(FRESH, only="backup_schedule")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("backup.check") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of(f"backup.age.{EAST_REPOSITORY}") == {"PASS"}, str(outcome)
    # The check gave up before it had a segment ended, so that the drill's own commits need not be archived anywhere.
    assert "FAIL" not in outcome.verdict_of(f"backup.archive.{EAST_REPOSITORY}"), str(outcome)
    assert outcome.verdict_of(f"backup.archive.{WEST_REPOSITORY}") == {"INCONCLUSIVE"}, str(outcome)


@pytest.fixture
def archiving_into_the_east_alone() -> Iterator[None]:
    """The primary's archiving knows nothing of the west's repository, and has nothing to complain of."""
    own = "/tmp/one-repository.conf"  # noqa: S108 - in its pod, where nothing else can be written
    command = (
        f"sed /^repo{WEST_REPOSITORY}-/d /etc/pgbackrest/pgbackrest.conf /etc/pgbackrest/conf.d/*.conf > {own} && "
        f"pgbackrest --config={own} --stanza={backups.STANZA} archive-push %p"
    )
    with archiving_by(command):
        yield


def test_a_repository_that_is_not_written_for_longer_than_may_be_lost_is_found(drilled, archiving_into_the_east_alone):
    """What may be lost is less than the minute for which `pgbackrest check` waits for a segment, and not an hour."""
    del archiving_into_the_east_alone

    def less_than_a_minute(document):
        document["objectives"]["recovery_point"] = "30 s"

    outcome = drilled(FRESH, only="backup_schedule", change=less_than_a_minute)
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of(f"backup.archive.{WEST_REPOSITORY}") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of("backup.check") == {"FAIL"}, str(outcome)
    # What users wrote during that minute is in no repository: at worst it is too old there, and certainly nowhere else.
    assert "FAIL" not in outcome.verdict_of(f"backup.archive.{EAST_REPOSITORY}"), str(outcome)
    assert outcome.verdict_of("backup.age") == {"PASS"}, str(outcome)
    assert outcome.verdict_of("backup.standby") == {"PASS"}, str(outcome)


def last_backup(store: Any) -> tuple[str, bytes]:
    """The largest file of the last full backup; a store that has just started may not be able to read yet."""
    deadline = time.monotonic() + _READABLE_WITHIN_S
    while True:
        try:
            where = {"Bucket": backups.BUCKET, "Prefix": f"{backups.STANZA}/backup/"}
            pages = store.get_paginator("list_objects_v2").paginate(**where)
            files = [it for page in pages for it in page.get("Contents", ()) if "F/bundle/" in it["Key"]]
            last = max(it["Key"].split("/bundle/")[0] for it in files)
            name = max((it for it in files if it["Key"].startswith(last)), key=lambda it: it["Size"])["Key"]
            return name, store.get_object(Bucket=backups.BUCKET, Key=name)["Body"].read()
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


@pytest.fixture
def flipped_bit() -> Iterator[None]:
    """In the midst of the largest file of the west's last full backup."""
    with inside(CLIENT.namespace):
        store = backups.client(WEST, backups.key("backup"))
        name, sound = last_backup(store)
        spoilt = bytearray(sound)
        spoilt[len(spoilt) // 2] ^= 1
    try:
        with inside(CLIENT.namespace):
            store.put_object(Bucket=backups.BUCKET, Key=name, Body=bytes(spoilt))
        yield
    finally:
        with inside(CLIENT.namespace):
            store.put_object(Bucket=backups.BUCKET, Key=name, Body=sound)


def test_a_flipped_bit_in_one_repository_is_found_there_and_nowhere_else(drilled, flipped_bit):
    del flipped_bit
    outcome = drilled(RESTORED, only="backup_proof")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of(f"restore.verify.{WEST_REPOSITORY}") == {"FAIL"}, str(outcome)
    assert outcome.verdict_of(f"restore.restore.{WEST_REPOSITORY}") == {"FAIL"}, str(outcome)
    east = {it["verdict"] for it in outcome.checks if it["objective"]["id"].endswith(f".{EAST_REPOSITORY}")}
    assert east == {"PASS"}, str(outcome)
