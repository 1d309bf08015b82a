"""Worlds that are made wrong on the twin, one layer at a time: users' time without writes is put down to that layer."""

from __future__ import annotations

import functools
import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from drillbook import wiring
from drillbook.beside import layer_probes
from drillbook.domain.layers import ELSEWHERE
from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.drivers import credentials
from drillbook.drivers.powerdns import PowerDnsName
from drillbook.run.clock import SteadyClock
from drillbook.run.load import Load
from drillbook.twin.layout import CLIENT, PROFILES, PUBLIC_NAME, state_directory
from drillbook.twin.network import inside
from probes import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from drillbook.domain.environment import Environment

pytestmark = [pytest.mark.twin, pytest.mark.slow]

HARM_S, WELL_S, WITHIN_S, READ_BACK_S = 6.0, 6.0, 120.0, 120.0
NOWHERE = "10.77.0.99"


@dataclass
class World:
    """Users and probes on the twin."""

    drill: Path
    environment: Environment
    clock: SteadyClock
    processes: tuple[Load, ...]

    def rows(self) -> list[dict[str, Any]]:
        text = (self.drill / "layers" / "probes.jsonl").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def await_harm(self, layer: str) -> None:
        """Until its probes failed for some time."""
        self._wait(lambda row: row["layer"] == layer, HARM_S, wanted=False, what=f"{layer} to be down")

    def await_service(self) -> None:
        """Until all probes but those of the other region's application came through for some time."""
        self._wait(lambda row: row["layer"] != "application us-west-2", WELL_S, wanted=True, what="all to be well")

    def _wait(self, of: Callable[[dict[str, Any]], bool], for_s: float, *, wanted: bool, what: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while True:
            since_s = self.clock.now() - for_s
            found = [row for row in self.rows() if of(row) and row["due_s"] >= since_s - 1.0]
            settled = [row for row in found if (row["outcome"] == "ok") is not wanted]
            if found and found[0]["due_s"] < since_s and not settled:
                return
            assert time.monotonic() < deadline, f"waited {WITHIN_S:g} s for {what}: {settled[-3:]}"
            time.sleep(0.2)


def kubectl(*arguments: str) -> str:
    command = [
        "nsenter", f"--net=/run/netns/{CLIENT.namespace}", str(state_directory() / "bin" / "kubectl"),
        f"--kubeconfig={PROFILES['staging'].regions[0].kubeconfig}", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@contextmanager
def scaled_to_nothing(namespace: str, what: str) -> Generator[None]:
    usual = kubectl("get", what, f"--namespace={namespace}", "--output=jsonpath={.spec.replicas}")
    kubectl("scale", what, f"--namespace={namespace}", "--replicas=0")
    try:
        yield
    finally:
        kubectl("scale", what, f"--namespace={namespace}", f"--replicas={usual}")


@contextmanager
def led_astray(environment: Environment) -> Generator[None]:
    settings = environment.recovery
    assert settings is not None
    regions = {**settings.name_addresses, "nowhere": (NOWHERE,)}
    key = functools.partial(credentials.read, settings.dns_key, {})
    name = PowerDnsName(settings.dns_api, key, settings.zone, PUBLIC_NAME, regions, frozenset)
    with inside(CLIENT.namespace):
        usual = name.order()
        name.prefer(["nowhere"])
    try:
        yield
    finally:
        with inside(CLIENT.namespace):
            name.prefer(usual)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    environment, clock = wiring.read_environment("twin"), SteadyClock.starting_now()
    settings, drill = environment.recovery, tmp_path / "drills" / "layers"
    assert settings is not None
    assert settings.layers is not None
    home = environment.primary.name
    plan = layer_probes.Plan(
        settings.layers, environment.public_url, None, environment.reach.nameservers,
        {home: settings.name_addresses[home], **settings.name_addresses}, layer_probes.RATE_HZ,
        environment.load.timeout_s, drill / "layers", clock,
    )  # fmt: skip
    users = {**wiring.load_plan(environment, clock, drill / "load", "layers"), "analysts": 0, "collectors": 0}
    users["read_back"] = {"deadline_s": READ_BACK_S}
    with inside(CLIENT.namespace):
        probes = Load.start(plan.document(), plan.output, module="drillbook.beside.layer_probes", called="layers")
        load = Load.start(users, drill / "load")
    try:
        probes.wait_running(deadline_s=45.0)
        load.wait_running(deadline_s=45.0)
        made = World(drill, environment, clock, (load, probes))
        made.await_service()
        yield made
    finally:
        load.kill()
        probes.kill()


@pytest.mark.parametrize(
    ("harm", "layer"),
    [
        (lambda _: scaled_to_nothing("gateway", "deployment/traefik"), "gateway us-east-1"),
        (lambda _: scaled_to_nothing("analytics", "deployment/analytics-blue"), "application us-east-1"),
        (lambda _: scaled_to_nothing("data", "statefulset/postgres"), "database"),
        (led_astray, "dns"),
    ],
    ids=["gateway", "application", "database", "dns"],
)
def test_time_without_writes_is_put_down_to_what_was_taken_away(
    world: World, harm: Callable[[Environment], Any], layer: str
) -> None:
    started_s = world.clock.now()
    with harm(world.environment):
        world.await_harm(layer)
    world.await_service()
    window = Window(started_s, world.clock.now())
    for process in world.processes:
        process.stop(read_back_s=READ_BACK_S)
    for connection in Connection:
        found = layers.attributed(world.drill, window, connection)
        assert not found.doubts
        assert found.unserved.low > 1.0, found
        share = layers.share_of(found, layer.partition(" ")[0], connection)
        assert share.interval is not None, found
        assert share.interval.low > 0.5, found
        assert found.layers[ELSEWHERE].high < 5.0, found
