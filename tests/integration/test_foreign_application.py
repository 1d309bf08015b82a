"""An application that is not ours is drilled by its adapter, its chart and its environment file alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.kinto.adapter import KintoWorkload
from loadtests.workload import ReadBack, Reply, WriteState

PROJECT = Path(__file__).resolve().parents[2]
TAKEN_BACK = "A bad release that passes its health checks is taken back by itself"
PROVED = {
    "A good release replaces the live one",
    "A release that fails its validation never takes traffic",
    f"{TAKEN_BACK} (fails 10 % of requests)",
    "An operator takes back a release that was live for a while",
}
NOT_PROVED = {f"{TAKEN_BACK} (takes 0.5 s longer)", f"{TAKEN_BACK} (answers 20 % of queries wrongly)"}


def run(*command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture
def kinto():
    """Installed twice, since that is to be no different from once; gone afterwards, whatever happened."""
    try:
        for _ in range(2):
            installed = run("examples.kinto", "install", timeout_s=600)
            assert installed.returncode == 0, installed.stderr
        yield
    finally:
        removed = run("examples.kinto", "uninstall", timeout_s=300)
    assert removed.returncode == 0, removed.stderr


def reply(status: int, data: object = None) -> Reply:
    return Reply(status, {}, json.dumps({"data": data}).encode())


def test_a_write_that_is_sent_again_is_the_same_write():
    workload = KintoWorkload("drill-a", {})
    assert workload.write(7) == workload.write(7)
    assert workload.write(7).path != workload.write(8).path


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (reply(201, {"id": "drill-a-7"}), WriteState.ACKNOWLEDGED),
        (reply(200, {"id": "drill-a-7"}), WriteState.ACKNOWLEDGED),
        (reply(201, {"id": "drill-a-8"}), WriteState.INDETERMINATE),
        (Reply(200, {}, b"<html>"), WriteState.INDETERMINATE),
        (reply(409), WriteState.REFUSED),
        (reply(503), WriteState.INDETERMINATE),
    ],
)
def test_only_an_answer_that_confirms_the_id_acknowledges(answer: Reply, state: WriteState):
    workload = KintoWorkload("drill-a", {})
    assert workload.state(workload.write(7), answer) is state


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (reply(200, {"value": 7}), ReadBack(copies=1, equal=True)),
        (reply(200, {"value": 8}), ReadBack(copies=1, equal=False)),
        (reply(404), ReadBack(copies=0, equal=False)),
        (reply(503), None),
    ],
)
def test_what_was_written_is_there_or_not_or_nobody_knows(answer: Reply, found: ReadBack | None):
    assert KintoWorkload("drill-a", {}).found("drill-a-7", [answer]) == found


@pytest.mark.parametrize("values", [list(range(5)), [*range(19), 20], list(reversed(range(20)))])
def test_a_list_that_is_cut_short_altered_or_out_of_order_is_wrong(values: list[int]):
    workload = KintoWorkload("drill-a", {})
    assert not workload.wrong(workload.query(0), reply(200, [{"value": n} for n in range(20)]))
    assert str(values) in workload.wrong(workload.query(0), reply(200, [{"value": n} for n in values]))


@pytest.mark.twin
@pytest.mark.slow
@pytest.mark.usefixtures("kinto")
def test_what_it_offers_is_proved_and_the_rest_is_not_proved_by_name(tmp_path: Path):
    done = run(
        "drillbook", "verify", "--environment=examples/kinto/kinto.yaml", "--only=cutover,rollback",
        f"--runs={tmp_path}", "--wait=120", timeout_s=1500,
    )  # fmt: skip
    drills = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*/drills/*/drill.json")]
    verdicts = {drill["scenario"]: drill["verdict"] for drill in drills}
    expected = dict.fromkeys(PROVED, "PASS") | dict.fromkeys(NOT_PROVED, "INCONCLUSIVE")
    assert verdicts == expected, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    errors = {drill["scenario"]: str(drill["error"]) for drill in drills}
    assert all("not proved here: the environment kinto has no release that" in errors[name] for name in NOT_PROVED)
    assert done.returncode == 75
