"""What disturbs a run without killing it: signals, a full disk, an API server that is away, a clock that jumps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from ruamel.yaml import YAML

from drillbook.twin import machines
from drillbook.twin.layout import PROFILES
from tests.crashes.conftest import PROJECT

if TYPE_CHECKING:
    from io import FileIO

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SCENARIO = "a_good_release_replaces_the_live_one"
SWITCHED = 5
"""Boundary of the journal at which the traffic is on the other slot, and the release is being watched."""


JUMPING = """
# Every process of the run sees the wall clock jump, as it would when somebody sets it; the kernel's monotonic clock
# cannot be set, and stays.
import os, time
from pathlib import Path

_real, _path = time.time, Path(os.environ["TEST_CLOCK_OFFSET"])


def _offset():
    return float(_path.read_text() or 0)


time.time = lambda: _real() + _offset()
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_the_run_at_once_and_a_second_one_does_not_stop_the_way_back(start, twin, number):
    run = start(SCENARIO)
    run.wait_for_boundary(SWITCHED - 1)
    told_s = time.monotonic()
    run.process.send_signal(number)
    time.sleep(0.5)  # the pace of an impatient hand, not a wait for anything
    run.process.send_signal(number)
    code = run.end()
    print(f"{number.name}: ended with {code} after {time.monotonic() - told_s:.1f} s")
    assert code == 75
    assert twin.clean, twin.left()
    assert run.lines("timeline.jsonl")[-1]["kind"] != "injected"


def test_a_full_disk_keeps_nothing_from_being_put_back(start, twin, tmp_path):
    disk = tmp_path / "runs-0"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True)
    try:
        run = start(SCENARIO)
        run.wait_for_boundary(SWITCHED - 1)
        filled_s = time.monotonic()
        fill(disk / "ballast")
        code = run.end()
        print(f"full disk: ended with {code} after {time.monotonic() - filled_s:.1f} s")
        assert code == 75
        assert twin.clean, twin.left()
        assert "disk" in run.output.read_text()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_an_api_server_that_is_away_for_a_minute_is_waited_for(start, twin):
    run = start(SCENARIO)
    run.wait_for_boundary(SWITCHED - 1)
    server = api_server()
    gone_s = time.monotonic()
    os.kill(server, signal.SIGSTOP)
    try:
        while time.monotonic() - gone_s < 60:
            time.sleep(1)
    finally:
        os.kill(server, signal.SIGCONT)
    back_s = time.monotonic()
    code = run.end()
    print(f"API server away: ended with {code}, {time.monotonic() - back_s:.1f} s after it was back")
    assert code == 75
    twin.wait_until_clean()


def test_a_token_that_ends_in_mid_drill_is_renewed_in_its_file(start, twin, tmp_path):
    # A token ends with the object that it is bound to.
    twin.kubectl("create", "secret", "generic", "leash", "-n", "drillbook")
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
    document["name"] = "token"
    kubeconfig = Path(document["regions"]["us-east-1"]["kubeconfig"])
    document["regions"]["us-east-1"]["kubeconfig"] = "kubeconfig.yaml"
    (tmp_path / "environments").mkdir()
    (tmp_path / "system").symlink_to(PROJECT / "system")
    with (tmp_path / "environments" / "token.yaml").open("w") as file:
        yaml.dump(document, file)
    mine = tmp_path / "environments" / "kubeconfig.yaml"
    content = json.loads(kubeconfig.read_text())
    content["users"][0]["user"]["token"] = twin.kubectl(
        "create", "token", "drillbook-release", "-n", "drillbook", "--bound-object-kind=Secret",
        "--bound-object-name=leash",
    ).strip()  # fmt: skip
    mine.write_text(json.dumps(content))
    try:
        run = start(SCENARIO, environment=tmp_path / "environments" / "token.yaml")
        run.wait_for_boundary(SWITCHED - 1)
    finally:
        twin.kubectl("delete", "secret", "leash", "-n", "drillbook")
    ended_s = time.monotonic()
    while time.monotonic() - ended_s < 30:
        time.sleep(1)
    assert not twin.clean, "the token still counted"
    mine.write_text(kubeconfig.read_text())
    renewed_s = time.monotonic()
    code = run.end()
    print(f"token ended for 30 s: ended with {code}, {time.monotonic() - renewed_s:.1f} s after it was renewed")
    assert code == 75
    assert twin.clean, twin.left()


def test_a_clock_that_jumps_by_an_hour_changes_nothing(start, twin, tmp_path, monkeypatch):
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TEST_CLOCK_OFFSET", str(offset))
    run = start(SCENARIO)
    run.wait_for_boundary(SWITCHED - 2)
    offset.write_text("3600")
    code = run.end()
    assert code == 0, run.output.read_text()
    assert twin.clean, twin.left()
    document = run.lines("timeline.jsonl")
    assert document[-1]["t_s"] - document[0]["t_s"] < 300, "the timeline jumped with the clock"


def test_a_runner_that_hangs_is_ended_and_its_changes_undone(start, twin):
    run = start(SCENARIO)
    run.wait_for_boundary(SWITCHED - 1)
    hung_s = time.monotonic()
    run.process.send_signal(signal.SIGSTOP)
    assert run.end() == -signal.SIGKILL
    twin.wait_until_clean()
    print(f"hung runner: restored after {time.monotonic() - hung_s:.1f} s")


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        write_on(file)


def write_on(file: FileIO) -> NoReturn:
    while True:
        file.write(bytes(65536))


def api_server() -> int:
    """PID of the primary region's API server."""
    node = PROFILES["staging"].regions[0].control_plane
    for pid in machines.processes_in([node.namespace]):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "kube-apiserver":
            return pid
    raise ProcessLookupError("no API server runs")
