"""A database is really lost and restored, as the benchmark of sizes does it; and what is not whole is seen."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.restored_drill import drill
from benchmarks.scratch_cluster import MIB, Cluster, Failed
from drillbook.domain.scaling import RESTORE, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # Not one of pytest's directories: they are closed to the server's user.
    with tempfile.TemporaryDirectory(prefix="drillbook-sizes-") as name:
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(name, account.pw_uid, account.pw_gid)
        found = Cluster(Path(name) / "one")
        try:
            yield found
        finally:
            found.remove()


def test_its_parts_add_up_to_what_its_client_saw_and_wal_that_is_missing_is_noticed(cluster: Cluster) -> None:
    backup = cluster.make(48 * MIB, 48 * MIB)
    assert backup.data_bytes == pytest.approx(48 * MIB, rel=0.15)

    one = drill(cluster, backup)

    assert set(one.took) == set(TERMS)
    assert one.wal_bytes == pytest.approx(48 * MIB, rel=0.4)
    parts_s = sum(one.took[name].high for name in TERMS if name not in RESTORE) + one.took["restore"].high
    assert one.total.low <= parts_s * 1.05
    assert one.total.high >= parts_s * 0.95

    newest = max(
        path for path in (cluster.top / "repository" / "archive").rglob("*.lz4") if len(path.name.split("-")[0]) == 24
    )
    shutil.move(newest, cluster.top / "gone")
    with pytest.raises(Failed, match=r"rows were restored of .* changes"):
        drill(cluster, backup)
