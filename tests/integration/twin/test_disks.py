"""A machine's disk is a file system of its own that its boot makes, and that is there again after the next one."""

from __future__ import annotations

import subprocess

import pytest

from drillbook.twin.machines import Disk

MIB = 2**20


def boot(disk, then) -> subprocess.CompletedProcess[str]:
    """The commands in a mount namespace of their own, which dies with them as a machine's does."""
    script = "\n".join(["set -e", *disk.commands(), then])
    command = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def loops(disk) -> str:
    return subprocess.run(["losetup", "--associated", disk.image], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "volumes" / "data", 64)


def test_it_is_as_large_as_said_and_keeps_what_was_written(disk) -> None:
    first = boot(
        disk, f"stat -f -c '%T %b %S' {disk.directory}; echo kept > {disk.directory}/a; losetup -n -O BACK-FILE"
    )
    assert first.returncode == 0, first.stderr
    kind, blocks, size = first.stdout.splitlines()[0].split()
    assert kind == "ext2/ext3"
    assert 48 * MIB < int(blocks) * int(size) <= 64 * MIB
    assert str(disk.image) in first.stdout
    assert list(disk.directory.iterdir()) == [], "this machine has it mounted as well"
    assert loops(disk) == "", "the device was not given back"
    assert boot(disk, f"cat {disk.directory}/a").stdout == "kept\n"


def test_it_can_be_full_while_this_machine_is_not(disk) -> None:
    found = boot(disk, f"head -c {80 * MIB} /dev/zero > {disk.directory}/ballast")
    assert found.returncode != 0
    assert "No space left on device" in found.stderr


def test_data_from_before_there_was_a_disk_is_not_hidden(disk) -> None:
    disk.directory.mkdir(parents=True)
    (disk.directory / "old").write_text("data")
    found = boot(disk, f"cat {disk.directory}/old")
    assert "has data already, and gets no disk" in found.stdout
    assert found.stdout.endswith("data")


def test_a_machine_boots_without_one(disk) -> None:
    disk.directory.parent.mkdir(parents=True)
    disk.image.write_text("no file system")
    found = boot(disk, "echo booted")
    assert (found.returncode, found.stdout.splitlines()[-1]) == (0, "booted")
    assert "gets no disk of its own" in found.stdout
