"""A run's folder as a run writes it: the one place of these tests that knows its files."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from drillbook.domain.verdict import Judgement


@dataclass(frozen=True)
class DrillFiles:
    """What one drill leaves.

    Attributes:
        document: `drill.json`; its `id` is the name of the folder.
        journal: Chaos Toolkit's.
        judgements: Its lines of `checks.jsonl`.
        events: Its lines of the timeline.
        queries: Prometheus' raw answers.
        requests: Rows of the load.
        stalls: When the meter was held up.
        experiment: As executed; None leaves no file.
    """

    document: dict[str, Any]
    journal: dict[str, Any]
    judgements: Sequence[Judgement]
    events: Sequence[dict[str, Any]]
    queries: Sequence[dict[str, Any]]
    requests: pa.Table
    stalls: pa.Table
    experiment: dict[str, Any] | None = None


def write(run: Path, document: dict[str, Any], drills: Sequence[DrillFiles], changes: Iterable[dict[str, Any]]) -> Path:
    """Make the folder; answers it.

    Args:
        run: The folder.
        document: `run.json`.
        drills: In the order in which they ran.
        changes: Lines of the undo journal.
    """
    (run / "drills").mkdir(parents=True)
    _json(run / "run.json", document)
    (run / "environment.yaml").write_text("name: twin\ntier: staging\n", encoding="utf-8")
    for drill in drills:
        _drill(run / "drills" / drill.document["id"], drill)
    judged = [{"drill": drill.document["id"], **asdict(each)} for drill in drills for each in drill.judgements]
    _lines(run / "checks.jsonl", judged)
    _lines(run / "timeline.jsonl", [event for drill in drills for event in drill.events])
    _lines(run / "undo.jsonl", changes)
    return run


def stages(change: dict[str, Any], last: str, note: str) -> list[dict[str, Any]]:
    """The lines of one change in the undo journal, up to this stage."""
    return [{**change, "stage": stage, "note": note} for stage in ("intended", "done", last)]


def _drill(folder: Path, drill: DrillFiles) -> None:
    (folder / "load").mkdir(parents=True)
    (folder / "queries").mkdir()
    _json(folder / "drill.json", drill.document)
    _json(folder / "journal.json", drill.journal)
    if drill.experiment is not None:
        _json(folder / "experiment.json", drill.experiment)
    for number, query in enumerate(drill.queries, start=1):
        _json(folder / "queries" / f"{number:03d}.json", query)
    _json(folder / "load" / "plan.json", {"base_url": "http://analytics.drillbook.test"})
    pq.write_table(drill.requests, folder / "load" / "requests.parquet")
    pq.write_table(drill.stalls, folder / "load" / "stalls.parquet")


def _json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(_plain(document), allow_nan=False), encoding="utf-8")


def _lines(path: Path, documents: Iterable[dict[str, Any]]) -> None:
    lines = [json.dumps(_plain(document), allow_nan=False) + "\n" for document in documents]
    path.write_text("".join(lines), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Infinities are strings in a run's folder."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
