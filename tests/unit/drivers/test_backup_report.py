"""The script that asks pgBackRest, run by a shell with another program of that name."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.backup_report import BackupReport
from drillbook.drivers.backup_host import REPORT

if TYPE_CHECKING:
    from pathlib import Path

COMMON = """
[global]
repo1-type=s3
repo1-s3-endpoint=store.east.test
 repo1-storage-port = 30333
repo2-type = s3
repo2-s3-endpoint = store.west.test
"""
KEYS = """
[global]
repo1-s3-key=who
repo1-s3-key-secret=hidden
repo2-s3-key-secret=hidden
repo1-cipher-pass=hidden
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pgbackrest"
    program.write_text("#!/bin/sh\necho '[]'\n")
    program.chmod(0o755)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "pgbackrest.conf").write_text("[main]\npg1-path=/data\n")
    (tmp_path / "conf.d" / "common.conf").write_text(COMMON)
    (tmp_path / "conf.d" / "repositories.conf").write_text(KEYS)
    return tmp_path


def printed(etc: Path, **more: str) -> str:
    environment = {
        "PATH": f"{etc / 'bin'}:{os.environ['PATH']}",
        "STANZA": "main", "REPOSITORIES": "1 2", "CONFIGURATION": str(etc),
    }  # fmt: skip
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec 2>&1\n{REPORT}"], env=environment | more, capture_output=True, text=True, check=True,
        timeout=30,
    )  # fmt: skip
    return done.stdout


def stores(etc: Path, **more: str) -> dict[int, str]:
    return dict(BackupReport.printed(printed(etc, **more)).stores)


def test_it_says_in_which_store_each_repository_is_and_no_key(etc) -> None:
    said = printed(etc)
    report = BackupReport.printed(said)
    assert report.stores == {1: "store.east.test", 2: "store.west.test"}
    assert report.archives == {1: "[]", 2: "[]"}
    assert "hidden" not in said
    assert "who" not in said


def test_what_the_pods_environment_says_is_told_as_well(etc) -> None:
    assert stores(etc, PGBACKREST_REPO2_S3_ENDPOINT="store.east.test") == {1: "store.east.test"}
    (etc / "conf.d" / "common.conf").write_text(COMMON[: COMMON.index("repo2")])
    told = {"PGBACKREST_REPO2_TYPE": "s3", "PGBACKREST_REPO2_S3_ENDPOINT": "store.west.test"}
    hidden = {"PGBACKREST_REPO2_S3_KEY_SECRET": "hidden"}
    assert stores(etc, **told, **hidden) == {1: "store.east.test", 2: "store.west.test"}
    assert "hidden" not in printed(etc, **told, **hidden)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("repo2-type = s3", "repo2-type=posix"),
        ("repo2-type = s3", ""),
        ("repo2-s3-endpoint = store.west.test", ""),
        ("repo2-s3-endpoint = store.west.test", "#repo2-s3-endpoint = store.west.test"),
        ("repo2-s3-endpoint", "repo21-s3-endpoint"),
        ("repo2-type = s3", "repo2-type = s3\nrepo2-storage-host = store.east.test"),
        ("repo2-type = s3", "repo2-type = s3\n[main]\nrepo2-s3-endpoint=store.east.test"),
    ],
)
def test_a_repository_of_which_the_settings_do_not_say_one_store_is_in_none(etc, old, new) -> None:
    assert old in COMMON
    (etc / "conf.d" / "common.conf").write_text(COMMON.replace(old, new))
    assert stores(etc) == {1: "store.east.test"}


def test_settings_that_are_elsewhere_tell_nothing_and_spoil_nothing(etc) -> None:
    report = BackupReport.printed(printed(etc, CONFIGURATION=str(etc / "none")))
    assert (report.stores, report.archives) == ({}, {1: "[]", 2: "[]"})


def test_a_file_that_pgbackrest_is_led_to_is_read(etc) -> None:
    (etc / "elsewhere.conf").write_text(COMMON)
    led = {"CONFIGURATION": str(etc / "none"), "PGBACKREST_CONFIG": str(etc / "elsewhere.conf")}
    assert stores(etc, **led) == {1: "store.east.test", 2: "store.west.test"}
