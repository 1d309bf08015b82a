"""What the benchmark of sizes makes of its drills: a bound that held, one that did not, and drills without a model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import restore_sizes
from benchmarks.scratch_cluster import MIB
from drillbook.domain.interval import Interval
from drillbook.domain.scaling import RESTORE, TERMS, Drill
from drillbook.evidence import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def drill(size: float, slower: float = 1.0) -> Drill:
    took = {name: Interval.exactly(slower * (1.0 + 0.02 * size / MIB)) for name in TERMS}
    total_s = sum(took[name].low for name in TERMS if name not in RESTORE) + took["restore"].low
    return Drill(size, size / 2, size, took, Interval.exactly(total_s))


@pytest.mark.parametrize(
    ("then", "code", "told"),
    [
        (0.99, 0, "error +1% (median of 2); the bound held in 2 of 2"),
        (2.0, 1, "error -50% (median of 2); the bound held in 0 of 2"),
    ],
)
def test_what_was_foretold_is_held_against_what_was_measured(  # noqa: PLR0917 - pytest's own and the table's
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    then: float,
    code: int,
    told: str,
) -> None:
    asked: list[tuple[Sequence[int], int]] = []

    def measured(_: Path, wanted: Sequence[int], times: int) -> list[Drill]:
        asked.append((wanted, times))
        return [drill(size, then if len(wanted) == 1 else 1.0) for size in wanted for _ in range(times)]

    monkeypatch.setattr(restore_sizes, "_measured", measured)
    path = tmp_path / "sizes.json"
    assert restore_sizes.main(["--json", str(path)]) == code
    assert asked == [([32 * MIB, 64 * MIB, 128 * MIB, 256 * MIB], 3), ([2048 * MIB], 2)]
    assert told in capsys.readouterr().out
    assert len(sizes.read(path)) == 12
    kept = json.loads(path.read_text())
    assert kept["held"] == [code == 0] * 2
    assert len(kept["measured"]) == 2


def test_drills_that_carry_no_model_are_kept_and_said_to_be_undecided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = replace(drill(MIB), took=dict.fromkeys(TERMS, Interval.exactly(1.0)), total=Interval.exactly(8.0))

    def measured(_: Path, wanted: Sequence[int], times: int) -> list[Drill]:
        return [
            replace(flat, data_bytes=size, repository_bytes=size / 2, wal_bytes=size)
            for size in wanted
            for _ in range(times)
        ]

    monkeypatch.setattr(restore_sizes, "_measured", measured)
    path = tmp_path / "sizes.json"
    assert restore_sizes.main(["--json", str(path)]) == 75
    assert "these drills carry no estimate" in capsys.readouterr().out
    assert "refused" in json.loads(path.read_text())
