"""A run's folder that cannot be made, or is damaged: said, without a traceback, and the lock is given back."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

from bad_input.conftest import Cluster, answering, drillbook


@contextmanager
def disk(directory, *options):
    """A small disk of its own."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=64k", *options]), "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def fill(directory):
    with (directory / "ballast").open("wb", buffering=0) as file:
        assert file.write(bytes(1_000_000)) < 70_000, "the disk is larger than meant"


def verify_in(runs, environment):
    cluster = Cluster()
    with answering(cluster.answer) as server:
        said = drillbook("verify", "--environment", environment(server=server.url), "--runs", runs)
    assert cluster.holder == "", "the lock is given back"
    assert [path.rpartition("/")[2] for _, path, _ in server.changes] == ["environment"] * 2, "taken, and given back"
    return said


def test_a_file_where_the_folder_belongs(environment, tmp_path):
    (tmp_path / "file").touch()
    said = verify_in(tmp_path / "file" / "runs", environment)
    said.inconclusive(f"{tmp_path / 'file' / 'runs'}", "cannot be written", "check its folder's owner and mode")


def test_a_disk_that_cannot_be_written(environment, tmp_path):
    with disk(tmp_path / "disk", "ro") as runs:
        verify_in(runs, environment).inconclusive(f"{runs}", "cannot be written (Read-only file system)")


def test_a_full_disk(environment, tmp_path):
    with disk(tmp_path / "disk") as runs:
        fill(runs)
        verify_in(runs, environment).inconclusive(f"the disk of {runs}", "is full: free some space and run again")


def test_a_report_of_a_run_that_is_not_there():
    drillbook("report", "no-such-run").refused("there is no run 'no-such-run': give the path of its folder")


def test_a_report_of_a_folder_that_is_no_run_leaves_it_as_it_is(tmp_path):
    drillbook("report", tmp_path).refused(f"{tmp_path} is no run's folder")
    assert list(tmp_path.iterdir()) == []


DAMAGE = {
    "torn": {"run.json": b"{", "checks.jsonl": b'{"drill": "a", "obj'},
    "other documents": {"run.json": b"[1, 2]", "timeline.jsonl": b"null\n7\n"},
    "no text": {"run.json": bytes(range(256)), "timeline.jsonl": bytes(range(256))},
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_report_of_a_damaged_run_is_made_and_proves_nothing(tmp_path, case):
    for name, content in DAMAGE[case].items():
        (tmp_path / name).write_bytes(content)
    said = drillbook("report", tmp_path)
    assert (said.code, "Traceback" in said.output) == (0, False), said.output
    page = (tmp_path / "report.html").read_text()
    assert "run.json" in page
    assert "is not a JSON object: damaged, or written by something else" in page
    assert "INCONCLUSIVE" in page
    assert 'errors="0"' not in (tmp_path / "junit.xml").read_text()


def test_a_report_onto_a_full_disk(tmp_path):
    with disk(tmp_path / "disk") as run:
        (run / "run.json").write_bytes(b"{}")
        fill(run)
        drillbook("report", run).inconclusive(f"the report cannot be written into {run}: No space left on device")
        assert sorted(path.name for path in run.iterdir()) == ["ballast", "run.json"]
