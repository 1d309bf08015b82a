"""A migration's command that is a wrapper, as `uv run` or a shell script is: what it has started ends with it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.drivers import migration_command
from drillbook.drivers.migration_command import MigrationCommand
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRAPPER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session={apart})
with open({file!r} + ".new", "w") as file:
    file.write(str(child.pid))
os.replace({file!r} + ".new", {file!r})
if not {leaves}:
    child.wait()
"""


def command(script: str) -> MigrationCommand:
    return MigrationCommand(("{python}", "-c", script), {}, "host=db.test", lambda: "", Path.cwd())


@pytest.fixture
def wrapped(tmp_path) -> Iterator[Callable[..., tuple[MigrationCommand, Callable[[], int]]]]:
    """A wrapper, and who says which process it has started; that is ended after the test at the latest."""
    file = tmp_path / "child"

    def made(*, apart: bool = False, leaves: bool = False) -> tuple[MigrationCommand, Callable[[], int]]:
        return command(WRAPPER.format(file=str(file), apart=apart, leaves=leaves)), child

    def child() -> int:
        give_up = time.monotonic() + 30
        while not file.exists():
            assert time.monotonic() < give_up, "the wrapper has started nothing"
            time.sleep(0.02)
        return int(file.read_text())

    yield made
    if alive(child()):
        os.kill(child(), signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    """A process that is killed lets go of its pipes a moment before it has ended."""
    give_up = time.monotonic() + 5
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    return not alive(pid)


def test_what_a_wrapper_has_started_is_killed_with_it(wrapped) -> None:
    wrapper, child = wrapped()
    running = wrapper.start("backfill", "")
    child()
    running.kill()
    assert gone(child())
    assert not running.alive


def test_what_a_wrapper_has_left_behind_is_killed_as_well(wrapped) -> None:
    wrapper, child = wrapped(leaves=True)
    running = wrapper.start("backfill", "")
    child()
    while running.alive:
        time.sleep(0.02)
    with pytest.raises(Unreachable, match=r"the migration backfill did not end within 0\.5 s"):
        running.finish(0.5)
    assert gone(child())


def test_one_that_does_not_end_in_time_is_killed_with_all_of_it(wrapped) -> None:
    wrapper, child = wrapped()
    running = wrapper.start("upgrade", "0007")
    child()
    with pytest.raises(Unreachable, match=r"the migration upgrade to 0007 did not end within 0\.5 s"):
        running.finish(0.5)
    assert gone(child())


def test_what_goes_on_apart_from_a_wrapper_that_was_killed_is_told(wrapped, monkeypatch) -> None:
    monkeypatch.setattr(migration_command, "_DIES_WITHIN_S", 0.5)
    wrapper, child = wrapped(apart=True)
    running = wrapper.start("backfill", "")
    child()
    with pytest.raises(Unreachable, match=r"the migration backfill was killed, and .* goes on: end it by hand"):
        running.kill()


def test_whoever_waits_for_it_and_is_interrupted_leaves_none_of_it(wrapped) -> None:
    wrapper, child = wrapped()
    running = wrapper.start("upgrade", "0007")
    child()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            running.finish(30)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert gone(child())


def test_what_it_says_may_be_written_in_any_way() -> None:
    said = command("import sys; sys.stdout.buffer.write(b'dropped \\xff'); sys.stdout.flush()").run(
        "upgrade", "1", deadline_s=30
    )
    assert said == "dropped \N{REPLACEMENT CHARACTER}"


def test_an_end_that_is_no_success_is_told_with_what_was_said() -> None:
    with pytest.raises(Unreachable, match="ended with exit code 3: no such revision"):
        command("print('no such revision'); raise SystemExit(3)").run("upgrade", "1", deadline_s=30)
