"""One recovery from backup, timed part by part: the database is lost and comes back from its repository alone.

What its clients saw is measured by a client, apart from the parts: what the parts leave out would be seen.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from benchmarks import scratch_cluster
from benchmarks.scratch_cluster import BIN, PROCESSES, Failed, Replay, files, run, until
from drillbook.domain import pgbackrest
from drillbook.domain.interval import Interval
from drillbook.domain.scaling import Drill

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from benchmarks.scratch_cluster import Backup, Cluster

_Thing = TypeVar("_Thing")

SUSTAINED_S = 2.0
"""For so long writes have to be good, for the recovery to be over."""
WATCHED_EVERY_S = 0.25
FAILED_IN_A_ROW = 3
"""Looks after which the database counts as lost."""

_TRIES_EVERY_S = 0.02
_BEFORE_S = 0.5
_STEP_S = 300.0
_CHUNK_BYTES = 2**20


@dataclass(slots=True)
class Client:
    """Somebody who writes all the time, each time on a connection of its own.

    Attributes:
        address: Where to.
        tries: When each was sent and done, in seconds since the epoch, and whether it was acknowledged.
    """

    address: str
    tries: list[tuple[float, float, bool]] = field(default_factory=list[tuple[float, float, bool]])

    @contextmanager
    def writing(self) -> Generator[None]:
        """Meanwhile."""
        over = threading.Event()
        thread = threading.Thread(target=self._write, args=[over], daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(_STEP_S)

    def good_for(self, seconds: float) -> bool:
        """Whether writes have been acknowledged for so long, and none was refused."""
        tries = list(self.tries)
        failed_s = max((sent_s for sent_s, _, good in tries if not good), default=-math.inf)
        good = [sent_s for sent_s, _, good in tries if good and sent_s > failed_s]
        return bool(good) and good[-1] - good[0] >= seconds

    def outage(self, fault: Interval) -> Interval:
        """Seconds from the fault to good service: to the last failed try at least, to the good one after it at most.

        Raises:
            Failed: When it never failed, or never came back.
        """
        after = [(sent_s, done_s, good) for sent_s, done_s, good in self.tries if done_s >= fault.low]
        failed_s = max((sent_s for sent_s, _, good in after if not good), default=None)
        if failed_s is None:
            raise Failed("no write failed, so the database was not lost")
        good_s = min((done_s for sent_s, done_s, good in after if good and sent_s > failed_s), default=None)
        if good_s is None:
            raise Failed("no write was good again")
        return Interval(max(0.0, failed_s - fault.high), good_s - fault.low)

    def _write(self, over: threading.Event) -> None:
        while not over.wait(_TRIES_EVERY_S):
            sent_s = time.time()
            good = answers(
                self.address, "INSERT INTO arrived SELECT coalesce(max(n), 0) + 1 FROM arrived RETURNING true"
            )
            self.tries.append((sent_s, time.time(), good))


def answers(address: str, question: str) -> bool:
    """Whether there is a database that says yes."""
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=2) as database:
            row: Any = database.execute(question).fetchone()
    except psycopg.Error:
        return False
    return bool(row[0])


def drill(cluster: Cluster, backup: Backup) -> Drill:
    """Lose the database of a cluster that runs, restore it elsewhere, and have the old one run again afterwards.

    Raises:
        Failed: When what came back is not what was there.
    """
    place = cluster.top / "restored"
    shutil.rmtree(place, ignore_errors=True)
    cluster.forget_repository()
    client = Client(cluster.address)
    took: dict[str, Interval] = {}
    with client.writing():
        until(lambda: client.good_for(_BEFORE_S), _STEP_S, "writes are good before the fault")
        fault = _lose(cluster)
        at_s = _detected(cluster)
        took["detect"] = Interval.exactly(at_s).since(fault)
        for name, step in (("decide", _decide), ("provision", _provision)):
            began_s, _ = at_s, step(cluster)
            at_s = time.time()
            took[name] = Interval.exactly(at_s - began_s)
        began_s, began_cpu_s = at_s, _cpu_s()
        cluster.back(
            "restore", "--type=default", "--archive-mode=off", _command(cluster), configuration="restored.conf"
        )
        at_s = time.time()
        took["restore"] = Interval.exactly(at_s - began_s)
        took["cpu"] = Interval.exactly((_cpu_s() - began_cpu_s) / PROCESSES)
        began_s = at_s
        scratch_cluster.start(cluster.top, place / "data", place, ["hot_standby = off"])
        until(lambda: answers(_address(place), "SELECT NOT pg_is_in_recovery()"), _STEP_S, "it has recovered")
        at_s = time.time()
        replay = Replay.logged((place / "log").read_text(encoding="utf-8"))
        took["replay"] = Interval.exactly(replay.done_s - began_s)
        took["promote"] = Interval.exactly(at_s - replay.done_s)
        began_s, _ = at_s, _verify(place, backup)
        at_s = time.time()
        took["verify"] = Interval.exactly(at_s - began_s)
        cluster.point(place)
        until(lambda: answers(cluster.address, "SELECT true"), _STEP_S, "clients reach it")
        took["reroute"] = Interval.exactly(time.time() - at_s)
        until(lambda: client.good_for(SUSTAINED_S), _STEP_S, "writes are good again")
    scratch_cluster.stop(place / "data", "fast")
    took |= {"network": _read(cluster), "disk": _written(place / "data", place / "copied", backup.data_bytes)}
    shutil.rmtree(place)
    cluster.point(cluster.sockets)
    cluster.start_primary()
    return Drill(backup.data_bytes, backup.repository_bytes, replay.wal_bytes, took, client.outage(fault))


def _lose(cluster: Cluster) -> Interval:
    """At once, as if its machine were gone."""
    began_s = time.time()
    cluster.stop()
    return Interval(began_s, time.time())


def _detected(cluster: Cluster) -> float:
    """When so many looks in a row had found no database."""
    failed = 0
    give_up_s = time.monotonic() + _STEP_S
    while failed < FAILED_IN_A_ROW:
        if time.monotonic() > give_up_s:
            raise Failed("the database was stopped, and goes on answering")
        time.sleep(WATCHED_EVERY_S)
        failed = 0 if answers(cluster.address, "SELECT true") else failed + 1
    return time.time()


def _decide(cluster: Cluster) -> None:
    """There is a backup to come back from, or nothing is begun."""
    found = pgbackrest.repositories(cluster.back("info", "--output=json"), scratch_cluster.STANZA)
    if not found or not found[0].readable or not found[0].backups:
        raise Failed("the repository has no backup that could be restored")


def _provision(cluster: Cluster) -> None:
    """An empty place for a server."""
    place = cluster.top / "restored"
    for path in (place, place / "data"):
        path.mkdir(mode=0o700)
        scratch_cluster.give(path)
    cluster.write("restored.conf", scratch_cluster.configuration(cluster.top, place / "data", place))


def _command(cluster: Cluster) -> str:
    get = f'pgbackrest --config={cluster.top}/restored.conf --stanza={scratch_cluster.STANZA} archive-get %f "%p"'
    return f"--recovery-option=restore_command={get}"


def _verify(place: Path, backup: Backup) -> None:
    """Every index has what its table has, every row is there, and all WAL was replayed."""
    run(
        BIN / "pg_amcheck", f"--host={place}", "--username=postgres", "--all", "--install-missing", "--heapallindexed",
        "--parent-check", "--no-strict-names",
    )  # fmt: skip
    with psycopg.connect(_address(place), autocommit=True) as database:
        row: Any = database.execute("SELECT count(*) FROM filled").fetchone()
        last: Any = database.execute("SELECT changes FROM filled WHERE n = %s", [backup.rows]).fetchone()
    if (row[0], last[0]) != (backup.rows, backup.marker):
        raise Failed(
            f"{row[0]} rows were restored of {backup.rows}, the last with {last[0]} of {backup.marker} changes"
        )


def _read(cluster: Cluster) -> Interval:
    """The repository's bytes alone, from where they lie."""
    cluster.forget_repository()
    return _timed(_drain, cluster.backup_files())


def _written(source: Path, target: Path, most_bytes: int) -> Interval:
    """So many of the data's bytes alone, each file as pgBackRest writes it: to the disk, not to memory."""
    chosen: list[tuple[Path, Path]] = []
    size = 0
    for path in files(source):
        if size < most_bytes and "pg_wal" not in path.parts:
            size += path.stat().st_size
            chosen.append((path, target / path.relative_to(source)))
    for _, path in chosen:
        path.parent.mkdir(parents=True, exist_ok=True)
    return _timed(lambda pair: _copy(*pair), chosen)


def _timed(work: Callable[[_Thing], None], things: Iterable[_Thing]) -> Interval:
    began_s = time.time()
    with ThreadPoolExecutor(PROCESSES) as workers:
        for _ in workers.map(work, things):
            pass
    return Interval.exactly(time.time() - began_s)


def _drain(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(_CHUNK_BYTES):
            pass


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _cpu_s() -> float:
    """Of all programs that ended until now."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def _address(sockets: Path) -> str:
    return f"host={sockets} user=postgres dbname=postgres"
