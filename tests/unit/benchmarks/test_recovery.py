"""Figures of repeated recoveries are read from what drills leave, and a missing one is not made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import recovery


def run(runs, name, high, stage):
    folder = runs / name
    folder.mkdir(parents=True)
    interval = None if high is None else {"low": 0, "high": high}
    checks = [
        {"objective": {"id": "recovery.time.new"}, "measurement": {"interval": interval, "unit": "s"}},
        {"objective": {"id": "drill.restored"}, "measurement": {"interval": {"low": 0, "high": 0}, "unit": "changes"}},
    ]
    (folder / "checks.jsonl").write_text("".join(json.dumps(check) + "\n" for check in checks))
    event = {"text": "stages of the recovery on new connections: fence",
             "data": {"activity": "stages", "stages": {"fence": [0.0, stage]}}}  # fmt: skip
    (folder / "timeline.jsonl").write_text(json.dumps(event) + "\n")


def test_the_median_and_the_worst_of_upper_bounds(tmp_path) -> None:
    figures = recovery.Figures()
    for number, (high, stage) in enumerate([(20.0, 0.1), (30.0, None), (None, 0.3), ("inf", 0.2)]):
        run(tmp_path / str(number), "a-run", high, stage)
        figures.add(tmp_path / str(number))
    rows = {row.figure: row for row in figures.rows("database lost")}
    assert set(rows) == {"recovery.time.new", "  fence, new"}
    assert (rows["recovery.time.new"].median, rows["recovery.time.new"].worst) == (30.0, float("inf"))
    assert rows["recovery.time.new"].times == 3
    assert rows["  fence, new"].worst == pytest.approx(0.3)


@pytest.mark.parametrize(("came", "code"), [([0, 0, 0], 0), ([0, 75, 0], 75), ([75, 1, 0], 1)])
def test_the_worst_drill_is_the_benchmarks_exit_code(monkeypatch, capsys, tmp_path, came, code) -> None:
    codes = iter(came)
    monkeypatch.setattr(recovery, "once", lambda *_: next(codes))
    chosen = ["--times", "3", "--drill", "regions parted", "--json", str(tmp_path / "figures.json")]
    assert recovery.main(chosen) == code
    assert f"regions parted, 2 of 3: exit code {came[1]}" in capsys.readouterr().out


def test_runs_that_are_to_be_kept_are_all_kept_and_others_are_not(monkeypatch, tmp_path) -> None:
    names = iter("abcd")

    def once(_feature, _scenario, runs) -> int:
        run(runs, next(names), 1.0, 0.1)
        return 0

    monkeypatch.setattr(recovery, "once", once)
    kept = tmp_path / "kept"
    assert recovery.main(["--times", "2", "--drill", "region cut off", "--runs", str(kept)]) == 0
    assert recovery.main(["--times", "2", "--drill", "region cut off"]) == 0
    assert sorted(path.parent.name for path in kept.glob("*/checks.jsonl")) == ["a", "b"]


def test_every_loss_is_repeated() -> None:
    """But for the one that is about the messages."""
    features = Path(__file__).resolve().parents[3] / "features" / "recovery"
    texts = {path.stem: path.read_text() for path in features.glob("*.feature")}
    losses = {name for name, text in texts.items() if "@destructive" in text and "@told" not in text}
    assert losses
    assert {feature for feature, _ in recovery.DRILLS.values()} >= losses
