"""`drillbook capacity`: an estimate and a certificate from what restores took."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from drillbook.cli import app
from drillbook.domain.interval import Interval
from drillbook.domain.scaling import RESTORE, TERMS, Drill
from drillbook.evidence import sizes

GIB = 2**30


def drill(size):
    took = dict.fromkeys(TERMS, Interval(5.0, 5.1))
    took |= dict.fromkeys((*RESTORE, "replay"), Interval(5 + 30 * size / GIB, 5.1 + 30 * size / GIB))
    total_s = sum(it.low for name, it in took.items() if name not in RESTORE) + took["restore"].low
    return Drill(size, size / 2, size / 4, took, Interval(total_s, total_s + 1))


@pytest.fixture
def measured(tmp_path):
    path = tmp_path / "restore-sizes.json"
    path.write_text(json.dumps({"drills": sizes.document(drill(GIB * 2**step) for step in range(4))}))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["capacity", *map(str, arguments)])


PRODUCTION = ("--wal-rate", "10KiB", "--backup-every", "24", "--backup-rate", "50MiB")


def test_it_tells_what_was_measured_what_is_supported_and_everything_that_is_assumed(measured):
    done = run(measured, *PRODUCTION)
    assert done.exit_code == 0
    assert "measured: 4 recoveries; the largest, 8 GiB, took 520 to 521 s" in done.output
    assert "capacity: up to 80 GiB in 4 h at 95% confidence" in done.output
    assert "nothing is proved beyond 10 times the largest drill" in done.output
    assert "assumed: 4 drills" in done.output


@pytest.mark.parametrize(
    ("size", "wal", "code", "told"),
    [
        ("64 GiB", "10KiB", 0, "PASS: "),
        ("64 GiB", "100KiB", 0, "PASS: "),
        ("100GiB", "10KiB", 75, "unproven: 100 GiB of database are 12.5 times the largest drill's"),
        ("64 GiB", "1MiB", 75, "of WAL are"),
        ("1GiB", "10KiB", 0, "restore        1 GiB"),
        ("1MiB", "10KiB", 2, "fewer than the smallest drill's"),
    ],
)
def test_a_size_is_judged_beside_what_was_measured(measured, size, wal, code, told):
    options = ("--wal-rate", wal, *PRODUCTION[2:])
    done = run(measured, *options, "--size", size)
    assert (done.exit_code, told in done.output) == (code, True), done.output


def test_what_takes_longer_than_promised_fails_and_supports_no_size(measured, tmp_path):
    document = json.loads(measured.read_text())
    for one in document["drills"]:
        one["took"]["decide"] = {"low": 15000.0, "high": 15001.0}
    slow = tmp_path / "slow.json"
    slow.write_text(json.dumps(document))
    alone = run(slow, *PRODUCTION)
    assert alone.exit_code == 1
    assert "no size is supported in 4 h" in alone.output
    assert run(slow, *PRODUCTION, "--size", "2GiB").exit_code == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--wal-rate", "fast", *PRODUCTION[2:]), "looks like 500GiB"),
        ((*PRODUCTION, "--stages", "none"), "there is no run 'none'"),
        ((*PRODUCTION, "--environment", "nowhere"), "nowhere"),
    ],
)
def test_what_it_cannot_work_with_is_refused_in_a_sentence(measured, tmp_path, options, why):
    done = run(measured, *options, "--runs", tmp_path)
    assert done.exit_code == 2
    assert why in done.output


def test_a_drill_of_a_loss_alone_tells_too_little_of_its_spread(measured, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    event = {
        "drill": "d", "t_s": 1.0, "kind": "note", "text": "stages", "data": {
            "activity": "stages", "stages": {"detect": [1.0, 2.0], "repoint + dns + warm-up": [1.0, 2.0]},
        },
    }  # fmt: skip
    (folder / "timeline.jsonl").write_text(json.dumps(event) + "\n")
    done = run(measured, *PRODUCTION, "--runs", tmp_path, "--stages", "one")
    assert done.exit_code == 2
    assert "is told by 1 other drills" in done.output
    thrice = run(measured, *PRODUCTION, "--runs", tmp_path, *["--stages", "one"] * 3)
    assert "told by drills of losses: detect by 3, reroute by 3" in thrice.output
    assert "assumed: detect has nothing to do with the size: it is told by 3 other drills" in thrice.output
