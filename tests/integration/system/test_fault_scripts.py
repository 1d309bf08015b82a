"""What the harness' own pods do, done by processes of the test's own, in bounds."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.drivers.kubernetes_disk import EMPTY, FILL, FULL
from drillbook.drivers.kubernetes_pressure import BURN, GROW

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (256 * MIB, 256 * MIB))


def test_who_wants_the_memory_takes_it_until_he_is_stopped(tmp_path):
    command = [sys.executable, "-c", GROW, *map(str, (512 * MIB, MIB, tmp_path / "exceeded", tmp_path / "held"))]
    done = subprocess.run(
        command, preexec_fn=limited, timeout=WITHIN_S, check=False, capture_output=True, text=True
    )  # fmt: skip
    assert "MemoryError" in done.stderr
    assert (tmp_path / "exceeded").exists()
    assert not (tmp_path / "held").exists()


def test_who_is_not_stopped_from_taking_more_memory_than_his_limit_gives_it_back_and_says_so(tmp_path):
    exceeded, held = tmp_path / "exceeded", tmp_path / "held"
    assert run(GROW, 32 * MIB, 16 * MIB, exceeded, held) == 1
    assert not held.exists()


def test_who_was_stopped_holds_what_is_within_his_limit_and_says_so_only_then(started, tmp_path):
    exceeded, held = tmp_path / "exceeded", tmp_path / "held"
    exceeded.touch()
    held.touch()
    before = held.stat().st_mtime_ns
    process = start(started, GROW, 2**60, 48 * MIB, exceeded, held)
    give_up = time.monotonic() + WITHIN_S
    while not (held.exists() and held.stat().st_mtime_ns != before):
        assert time.monotonic() < give_up, "it does not say that it holds"
        time.sleep(0.02)
    status = Path(f"/proc/{process.pid}/status").read_text()
    (anonymous,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")]
    assert 48 <= anonymous / 1024 < 48 + 16
    assert process.poll() is None


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
