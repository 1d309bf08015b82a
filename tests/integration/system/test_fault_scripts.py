"""What the harness' own pods do, done by processes of the test's own, in bounds."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drillbook.drivers.kubernetes_disk import EMPTY, FILL, FULL
from drillbook.drivers.kubernetes_pressure import BURN, GROW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHIN_S = 30.0
MIB = 1048576


def run(script: str, *arguments: object) -> int:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, timeout=WITHIN_S, check=False, capture_output=True).returncode


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes with groups of their own, which do not outlive the test."""
    made: list[subprocess.Popen[bytes]] = []
    yield made
    for process in made:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(WITHIN_S)


def start(started, script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = ["nice", "-n", "19", sys.executable, "-c", script, *map(str, arguments)]
    started.append(subprocess.Popen(command, start_new_session=True))
    return started[-1]


def wait_for(path: Path) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not path.exists():
        assert time.monotonic() < give_up, f"there is no {path}"
        time.sleep(0.02)


def test_who_wants_the_processor_says_so_once_he_has_burnt_some_of_it(started, tmp_path):
    process = start(started, BURN, tmp_path / "burnt")
    wait_for(tmp_path / "burnt")
    members = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True, check=True, timeout=10)
    assert len(members.stdout.split()) == 2 * (os.cpu_count() or 1)
    assert process.poll() is None


def test_who_wants_the_memory_takes_it_until_he_is_stopped():
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (256 * MIB, 256 * MIB))

    done = subprocess.run(
        [sys.executable, "-c", GROW], preexec_fn=limited, timeout=WITHIN_S, check=False, capture_output=True, text=True
    )
    assert "MemoryError" in done.stderr


def test_a_volume_is_filled_no_further_than_was_said_and_emptied_as_often_as_one_likes(started, tmp_path):
    ballast = tmp_path / "ballast"
    start(started, FILL, ballast, 0, 3 * MIB)
    wait_for(ballast)
    give_up = time.monotonic() + WITHIN_S
    while ballast.stat().st_size != 3 * MIB:
        assert time.monotonic() < give_up, ballast.stat()
        time.sleep(0.02)
    assert ballast.stat().st_blocks * 512 >= 3 * MIB, "a file with holes takes no room"
    assert run(FULL, ballast, 0) == 1, "there is more left than the reserve"
    assert run(FULL, ballast, 2**60) == 0
    assert run(EMPTY, ballast) == run(EMPTY, ballast) == 0
    assert not ballast.exists()
    assert run(FULL, ballast, 2**60) == 1, "the volume is full of something else"


def test_a_volume_that_is_within_its_reserve_already_is_not_filled(tmp_path):
    assert run(FILL, tmp_path / "ballast", 2**60, MIB) == 1
    assert not (tmp_path / "ballast").exists()
