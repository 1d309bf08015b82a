"""Each promise about faults is seen broken: the right check fails, for the right reason, and the twin is put back."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.twin.layout import PREFIX, PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PASS, FAIL, INCONCLUSIVE = 0, 1, 75
STEADY = "steady"
EAST = PROFILES["staging"].regions[0]


def put_back(outcome) -> bool:
    return outcome.verdict_of("drill.") == {"PASS"}


def unguarded(document):
    """Else the guard sees that pods are away, or that nobody answers for them, before the drill's checks do."""
    document["guard"]["pods_share"] = 1.0


@pytest.fixture
def nodes_of_one_processor() -> Iterator[None]:
    """The twin's nodes have all of the machine, and what is on no node, as a control plane, would starve with them."""
    root = Path("/sys/fs/cgroup")
    hierarchy = root if (root / "cgroup.controllers").is_file() else root / "cpuset"
    nodes = [hierarchy / PREFIX / worker.name for worker in EAST.workers]
    processors = (hierarchy / PREFIX / "cpuset.cpus").read_text()
    try:
        for node in nodes:
            # A group may have no processor that the one around it lacks.
            give(node, "0", topdown=False)
        yield
    finally:
        for node in nodes:
            give(node, processors, topdown=True)


def give(node: Path, processors: str, *, topdown: bool) -> None:
    """Give a node's groups these processors; those of containers that end meanwhile need none."""
    for directory, _, _ in os.walk(node, topdown=topdown):
        with contextlib.suppress(FileNotFoundError):
            (Path(directory) / "cpuset.cpus").write_text(processors)


def test_a_neighbour_without_a_limit_starves_the_others_and_is_found(drilled, nodes_of_one_processor):
    del nodes_of_one_processor

    def unlimited(document):
        document["faults"]["pressure"]["cpu"] = ""
        unguarded(document)

    outcome = drilled(STEADY, only="processor_wanted", change=unlimited)
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.latency") | outcome.verdict_of("fault.availability"), str(outcome)
    assert outcome.verdict_of("fault.bit") == {"PASS"}, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_readiness_that_flaps_is_found(drilled):
    outcome = drilled("good_release", release={"defects.readyFlapsMs": 4000, "defects.minRps": 0}, change=unguarded)
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("release.readiness"), str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_gateway_that_nobody_replaces_is_found(drilled):
    def keep_away(saboteur):
        gateway = ("deployment/traefik", "--namespace=gateway")
        replicas = saboteur.kubectl("get", *gateway, "--output=jsonpath={.spec.replicas}")
        saboteur.after("injected", "kill-gateway-pod")
        saboteur.kubectl("scale", *gateway, "--replicas=0")
        try:
            saboteur.after("intent", "lift_fault")
        finally:
            saboteur.kubectl("scale", *gateway, f"--replicas={replicas}")

    outcome = drilled(STEADY, only="gateway_pod_killed", change=lambda document: document["guard"].pop("burn"),
                      sabotage=keep_away)  # fmt: skip
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("fault.recovery"), str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_fault_that_does_not_bite_proves_nothing(drilled):
    def no_image(document):
        document["faults"]["pressure"]["image"] = "registry.drillbook.test:5000/nobody-has-this:1"

    outcome = drilled(STEADY, only="processor_wanted", change=no_image)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("fault.bit") == {"INCONCLUSIVE"}, str(outcome)
    assert "does not press yet" in outcome.output, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_fault_that_somebody_else_undoes_proves_nothing(drilled):
    def uncordon(saboteur):
        saboteur.after("observed", "drain-node")
        for node in ("use1-n1", "use1-n2"):
            saboteur.kubectl("uncordon", node)

    outcome = drilled(STEADY, only="node_drained", sabotage=uncordon)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert "did not last until it was to be lifted" in outcome.output, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_part_that_the_environment_does_not_name_is_not_proved(drilled):
    outcome = drilled(STEADY, only="dns_stopped", change=lambda document: document["faults"].pop("dns"))
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert "needs faults.dns, which the environment defect lacks" in outcome.output, str(outcome)
