"""A runner whose whole machine is lost: the reaper in the cluster puts back what it left, and nothing but that."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from drillbook.twin import accounts, images
from drillbook.twin.layout import CLIENT, PROFILES, state_directory
from tests.crashes.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SWITCHED = 4
# The lock's lapse, a turn of the schedule, a pod's start with its image, the undoing; stated in docs/recover.md.
BOUND_S = 180.0


@pytest.fixture
def reaper(tmp_path: Path) -> Generator[None]:
    """The chart's reaper, with the twin's environment as the cluster sees it."""
    yaml = YAML(typ="safe", pure=True)
    environment = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
    # One region's cluster puts back what releases have changed in it; a recovery is put back from outside.
    del environment["reach"]["network_namespace"], environment["regions"]["us-west-2"], environment["recovery"]
    environment["regions"]["us-east-1"] = {"kubeconfig": "/etc/drillbook/kubeconfig.yaml", "role": "primary"}
    environment["releases"]["helm"] = "/usr/local/bin/helm"
    seen = tmp_path / "twin.yaml"
    with seen.open("w") as file:
        yaml.dump(environment, file)
    others = tmp_path / "values.json"
    others.write_text(json.dumps(accounts.values(PROFILES["staging"].regions[0])))
    chart = PROJECT / "system" / "charts" / "drillbook"
    helm(
        "upgrade", "--install", "drillbook", str(chart), "--set=reaper.enabled=true",
        f"--set=reaper.image={images.reaper().reference}", "--set=reaper.environmentName=twin",
        f"--set-file=reaper.environment={seen}", f"--values={others}",
    )  # fmt: skip
    yield
    # The accounts of the same chart stay: the harness runs under them.
    helm("upgrade", "drillbook", str(chart), "--reset-values", f"--values={others}", "--wait")


def helm(*arguments: str) -> str:
    command = [
        "nsenter", f"--net=/run/netns/{CLIENT.namespace}", str(state_directory() / "bin" / "helm"), *arguments,
        f"--kubeconfig={PROFILES['staging'].regions[0].kubeconfig}", "--namespace=drillbook",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.usefixtures("reaper")
def test_what_a_lost_machine_left_is_put_back_within_the_bound(start, twin):
    run = start("a_good_release_replaces_the_live_one")
    run.wait_for_boundary(SWITCHED)
    assert run.kill(("runner", "watchdog"))
    lost_s = time.monotonic()
    assert not twin.clean, "there was nothing to put back"
    twin.wait_until_clean(BOUND_S)
    print(f"lost machine: restored after {time.monotonic() - lost_s:.1f} s by the reaper")


@pytest.mark.usefixtures("reaper")
def test_a_run_that_lives_is_left_alone(start, twin):
    run = start("a_good_release_replaces_the_live_one")
    run.wait_for_boundary(SWITCHED)
    twin.kubectl("create", "job", "reaper-now", "-n", "drillbook", "--from=cronjob/drillbook-reaper")
    try:
        twin.kubectl("wait", "job/reaper-now", "-n", "drillbook", "--for=condition=complete", "--timeout=50s")
        said = twin.kubectl("logs", "job/reaper-now", "-n", "drillbook")
    finally:
        twin.kubectl("delete", "job", "reaper-now", "-n", "drillbook", "--wait=true")
    assert "in use by" in said
    assert run.end() == 0, run.output.read_text()
