"""The newest run of the twin, judged again as it is and with whatever somebody might change in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook.domain.verdict import Verdict
from drillbook.evidence.statement import RELEASE_NAME
from features.rejudge import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.evidence.rejudge import Rejudged

RUNS = Path(__file__).resolve().parents[2] / "reports" / "runs"
DRILL = "a-good-release-replaces-the-live-one"


def _newest() -> Path:
    ended = [path.parent for path in RUNS.glob("*-twin-*/run.json") if json.loads(path.read_text()).get("verdict")]
    whole = [path for path in ended if (path / "drills" / DRILL / "load" / "requests.parquet").is_file()]
    if not whole:
        pytest.skip("no run of the twin is in reports/runs: `drillbook verify --environment twin` makes one")
    return max(whole)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the newest run."""
    newest = _newest()
    return shutil.copytree(newest, tmp_path / newest.name)


def _said(found: Rejudged) -> set[str]:
    of_drills = (f"{drill.drill}: {text}" for drill in found.drills for text in (*drill.differences, *drill.lacking))
    return {*found.differences, *of_drills}


@pytest.fixture(scope="session")
def untouched() -> set[str]:
    """What is said of the newest run as it is."""
    return _said(judge(_newest()))


def test_every_verdict_is_derived_and_agrees(run: Path) -> None:
    found = judge(run)
    assert found.agreement is Verdict.PASS, _said(found)
    checks = (run / "checks.jsonl").read_text().splitlines()
    assert sum(drill.agreed for drill in found.drills) == len(checks)


def test_the_release_that_passed_is_attested_by_its_images(run: Path, tmp_path: Path) -> None:
    if json.loads((run / "run.json").read_text())["verdict"] != "PASS":
        pytest.skip("the newest run did not pass, and what did not pass is not attested")
    key = tmp_path / "evidence.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True)
    key.chmod(0o600)
    for command in ("sign", "attest"):
        arguments = ["evidence", command, str(run), f"--signing-key=file:{key}"]
        done = subprocess.run(
            [sys.executable, "-m", "drillbook", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"attested: release 1\.1\.0, \S+@sha256:[0-9a-f]{64}: DRILLBOOK_RELEASE_PASSED", done.stdout)
    assert (run / RELEASE_NAME).is_file()


def _rows(change: Callable[[pa.Table], pa.Table], name: str) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        path = run / "drills" / DRILL / "load" / name
        pq.write_table(change(pq.read_table(path)), path)

    return edit


def _metered(column: str, value: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Another value of the request that the meter sent in the middle of the drill: all measurements look there."""

    def change(table: pa.Table) -> pa.Table:
        metered = [(index, row) for index, row in enumerate(table.to_pylist()) if row["kind"] == "meter"]
        index, row = sorted(metered, key=lambda found: found[1]["due_s"])[len(metered) // 2]
        return _with(column, index, value(row))(table)

    return change


def _with(column: str, row: int, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        kind = table.schema.field(column).type
        values = table[column].cast(kind.value_type if pa.types.is_dictionary(kind) else kind).to_pylist()
        values[row] = value
        changed = pa.array(values, kind.value_type if pa.types.is_dictionary(kind) else kind)
        return table.set_column(table.schema.get_field_index(column), column, changed.cast(kind))

    return change


def _document(name: str, change: Callable[[Any], None]) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        (path,) = run.glob(name)
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


def _line(name: str, chosen: Callable[[Any], bool], change: Callable[[Any], None]) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        path = run / name
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change(next(line for line in lines if chosen(line)))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return edit


def _last_answer(run: Path) -> None:
    """The last number that Prometheus gave in the drill is another one."""
    for path in sorted((run / "drills" / DRILL / "queries").glob("*.json"), reverse=True):
        document = json.loads(path.read_text())
        if document["body"]["data"]["result"]:
            document["body"]["data"]["result"][0]["value"][1] = "4711"
            path.write_text(json.dumps(document))
            return
    pytest.fail("Prometheus gave no number in this drill")


def _objective(run: Path) -> None:
    path = run / "environment.yaml"
    text = path.read_text()
    assert "outage: 250 ms" in text
    path.write_text(text.replace("outage: 250 ms", "outage: 100 ms"))


def _verdict(check: Any) -> None:
    check["verdict"] = "FAIL" if check["verdict"] == "PASS" else "PASS"


CHANGES: dict[str, Callable[[Path], None]] = {
    "a request that failed": _rows(_metered("outcome", lambda _row: "server_error"), "requests.parquet"),
    "a request that took longer": _rows(_metered("done_s", lambda row: row["due_s"] + 60.0), "requests.parquet"),
    "a request that is gone": _rows(lambda table: table.slice(1), "requests.parquet"),
    "a write that was not acknowledged": _rows(_with("state", 20, "refused"), "ledger.parquet"),
    "a write that was not found": _rows(_with("copies", 20, 0), "readback.parquet"),
    "an answer of Prometheus": _last_answer,
    "a check's verdict": _line("checks.jsonl", lambda line: line["drill"] == DRILL, _verdict),
    "a check's interval": _line(
        "checks.jsonl", lambda line: bool(line["measurement"]["interval"]),
        lambda line: line["measurement"]["interval"].update(low=0.001),
    ),
    "a drill's verdict": _document(f"drills/{DRILL}/drill.json", _verdict),
    "the run's verdict": _document("run.json", _verdict),
    "an objective": _objective,
    "a change that was put back": _line(
        "undo.jsonl", lambda line: line["stage"] == "undone", lambda line: line.update(stage="done")
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_seen(run: Path, untouched: set[str], change: Callable[[Path], None]) -> None:
    change(run)
    found = judge(run)
    assert found.agreement is Verdict.FAIL
    assert _said(found) - untouched


def test_what_is_gone_is_not_judged(run: Path, untouched: set[str]) -> None:
    shutil.rmtree(run / "drills" / DRILL / "queries")
    found = judge(run)
    assert found.agreement is not Verdict.PASS
    assert any("no answer of Prometheus was kept" in text for text in _said(found) - untouched)
