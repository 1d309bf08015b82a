"""Both servers lose their data, on loopback and as their pods start them: one repository alone brings them back."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.system.test_postgres_guard import Region

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
STREAMS = "SELECT state FROM pg_stat_replication WHERE application_name = 'standby_standby'"
KEPT = "SELECT string_agg(what, ' ' ORDER BY what) FROM kept"


class Pair:
    """A primary with its standby, and two repositories that the primary writes."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.east, self.west = Region(top / "east", "primary"), Region(top / "west", "standby")
        for region in (self.east, self.west):
            (region.top / "etc" / "pgbackrest.conf").write_text(
                f"[global]\nlock-path={region.top}/run\nlog-level-file=off\narchive-timeout=10\nstart-fast=y\n"
                + "".join(f"repo{key}-path={top}/repo{key}\nrepo{key}-retention-full=2\n" for key in (1, 2))
                + f"[main]\npg1-path={region.top}/lib/data\npg1-port={region.port}\npg1-socket-path={region.top}/run\n"
                "pg1-user=postgres\n"
            )
            with (region.top / "etc" / "postgresql.conf").open("a") as file:
                command = f"pgbackrest --config={region.top}/etc/pgbackrest.conf --stanza=main archive-push %p"
                file.write(f"archive_mode = on\narchive_command = '{command}'\n")
        for key in (1, 2):
            (top / f"repo{key}").mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (top, *top.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)

    def begin(self) -> None:
        self.east.start(self.west)
        self.east.wait("SELECT pg_is_in_recovery()", "False")
        self.west.start(self.east)
        self.east.wait(STREAMS, "streaming")
        self.back("stanza-create")
        for key in (1, 2):
            self.back(f"--repo={key}", "--type=full", "backup")
        self.east.ask("CREATE TABLE kept (what text)")
        self.write("archived")
        self.back("check")

    def back(self, *arguments: str) -> None:
        account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        done = subprocess.run(
            ["pgbackrest", f"--config={self.east.top}/etc/pgbackrest.conf", "--stanza=main", *arguments], timeout=120,
            user=account.pw_uid if account else None, group=account.pw_gid if account else None, check=False, cwd="/",
            extra_groups=[] if account else None, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def write(self, what: str) -> None:
        self.east.ask(f"INSERT INTO kept VALUES ('{what}')")  # noqa: S608 - the test's own

    def lose(self) -> None:
        """Both at once, and what was not archived with them."""
        self.write("not archived")
        for region in (self.west, self.east):
            region.kill()
        for region, other in ((self.east, self.west), (self.west, self.east)):
            region.start(other, orders="lost")
            assert "LOST: ordered to have no data" in region.ended()
            assert not (region.top / "lib" / "data").exists()

    def restore(self) -> None:
        self.east.start(self.west, orders="restore-2")
        self.east.wait("SELECT pg_is_in_recovery()", "False")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="drillbook-lost-") as name:
        Path(name).chmod(0o755)
        made = Pair(Path(name))
        try:
            made.begin()
            yield made
        finally:
            made.west.stop()
            made.east.stop()


def test_one_repository_alone_brings_both_back_with_all_that_was_archived(pair: Pair) -> None:
    pair.lose()
    (pair.top / "repo1").rename(pair.top / "repo1-is-gone-with-its-region")
    pair.restore()
    assert pair.east.ask(KEPT) == "archived"
    assert pair.east.ask("SELECT timeline_id FROM pg_control_checkpoint()") in {"1", "2"}
    pair.write("since")
    pair.west.start(pair.east, orders="standby")
    pair.east.wait(STREAMS, "streaming")
    pair.west.wait(KEPT, "archived since")
    for region in (pair.east, pair.west):
        region.gone("aside")
    pair.west.stop()
    pair.east.stop()
    # On their own they are what they were before.
    pair.east.start(pair.west)
    pair.west.start(pair.east)
    pair.east.wait(STREAMS, "streaming")
    assert "timeline 2" in pair.east.log()


def test_nothing_is_made_in_place_of_what_is_aside(pair: Pair) -> None:
    pair.lose()
    for region, other in ((pair.east, pair.west), (pair.west, pair.east)):
        region.start(other)
        assert "REFUSED: what was on this volume is aside" in region.ended()


def test_a_loss_that_is_undone_before_anything_is_restored_lost_nothing(pair: Pair) -> None:
    pair.lose()
    for region, other in ((pair.west, pair.east), (pair.east, pair.west)):
        region.start(other, orders="returned")
    pair.east.wait(STREAMS, "streaming")
    assert pair.east.ask(KEPT) == "archived not archived"
    assert pair.east.ask("SELECT timeline_id FROM pg_control_checkpoint()") == "1"


def test_a_restore_that_died_before_it_took_writes_makes_way_for_what_was_there(pair: Pair) -> None:
    pair.lose()
    conf = pair.east.top / "etc" / "postgresql.conf"
    before = conf.read_text()
    conf.write_text(f"{before}recovery_target_action = 'pause'\nrecovery_target = 'immediate'\n")
    pair.east.start(pair.west, orders="restore-2")
    pair.east.wait("SELECT pg_get_wal_replay_pause_state()", "paused")
    pair.east.kill()
    conf.write_text(before)
    for region, other in ((pair.west, pair.east), (pair.east, pair.west)):
        region.start(other, orders="returned")
    pair.east.wait(STREAMS, "streaming")
    assert pair.east.ask(KEPT) == "archived not archived"


def test_what_took_writes_stays_and_what_was_there_never_comes_beside_it(pair: Pair) -> None:
    """The run died right after the restored one had taken its first write."""
    pair.lose()
    pair.restore()
    pair.write("since")
    pair.east.gone("aside")
    pair.east.kill()
    pair.west.start(pair.east, orders="returned")
    pair.east.start(pair.west, orders="returned")
    pair.east.wait("SELECT pg_is_in_recovery()", "False")
    assert pair.east.ask(KEPT) == "archived since"
    # The other one is back as what it was, and cannot follow: it is lost once more, and made anew.
    pair.west.kill()
    pair.west.start(pair.east, orders="lost")
    pair.west.ended()
    pair.west.start(pair.east, orders="standby")
    pair.east.wait(STREAMS, "streaming")
    pair.west.wait(KEPT, "archived since")
    pair.west.gone("aside")


def test_a_server_is_not_restored_beside_a_primary(pair: Pair) -> None:
    pair.east.kill()
    pair.west.ask("SELECT pg_promote(true, 20)")
    pair.east.start(pair.west, orders="lost")
    pair.east.ended()
    pair.east.start(pair.west, orders="restore-2")
    assert "REFUSED: ordered to be restored, and the other region's server is a primary" in pair.east.ended()
