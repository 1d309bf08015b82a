"""Each promise about recoveries is seen broken: the right check fails for the right reason, and all is put back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.undo import FAULT
from drillbook.twin.link import Link, end
from tests.defects.conftest import PSQL, Saboteur

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PASS, FAIL, INCONCLUSIVE = 0, 1, 75
SWITCH, LOST = "a_planned_switch_loses_no_write", "server_is_gone_and_does_not_come_back"
PARTED, CUT = "people_use_it and parted", "people_use_it and network"
STATEFUL_SET = ("statefulset", "postgres", "--namespace=data")


def put_back(outcome) -> bool:
    return outcome.verdict_of("drill.") == {"PASS"}


def unfence(saboteur):
    """Somebody starts the old primary again as one, once the other is promoted, and against its orders."""
    saboteur.after("observed", "promote-standby")
    orders = saboteur.kubectl("create", "configmap", "postgres-orders", "--namespace=data",
                              "--from-literal=orders=primary", "--dry-run=client", "--output=json")  # fmt: skip
    saboteur.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", given=orders)
    saboteur.kubectl("scale", *STATEFUL_SET, "--replicas=1")


@pytest.mark.parametrize(("scenario", "only"), [(LOST, "database_primary_lost"), (PARTED, "region_lost")])
def test_a_primary_that_is_not_fenced_is_found_by_what_it_takes(drilled, scenario, only):
    outcome = drilled(scenario, only=only, sabotage=unfence)
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.split_brain") == {"FAIL"}, str(outcome)


def test_a_region_that_is_not_lost_in_spite_of_all_proves_nothing(drilled, tmp_path):
    """What puts packet filters in place says that it did, and did not."""
    programs = tmp_path / "programs"
    programs.mkdir()
    idle = programs / "iptables-restore"
    idle.write_text("#!/bin/sh\nexit 0\n")
    idle.chmod(0o755)
    outcome = drilled(CUT, only="region_lost", programs=programs)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert "cut us-east-1 from the network: not in effect after 180 s" in outcome.output, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_standby_that_lagged_costs_more_than_may_be_lost(drilled):
    """The link between the regions is cut before the loss, and until what was on its way has nowhere to go."""
    link = Link(end("us-east-1"), end("us-west-2"))

    def at_most_a_second(document):
        document["objectives"]["recovery_point"] = "1 s"

    def cut(saboteur):
        saboteur.after("note", "users and meter are on the platform")
        link.take()
        try:
            saboteur.after("observed", "promote-standby")
        finally:
            link.give_back({})

    outcome = drilled(LOST, only="database_primary_lost", change=at_most_a_second, sabotage=cut)
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.point") == {"FAIL"}, str(outcome)
    assert put_back(outcome), str(outcome)


@pytest.fixture
def health_check_that_lies() -> Iterator[None]:
    """The live release says that it can serve, whatever is true."""
    operator, deployment = Saboteur(Path()), ("deployment/analytics-blue", "--namespace=analytics")

    def let(variable: str) -> None:
        operator.kubectl("set", "env", *deployment, variable)
        operator.kubectl("rollout", "status", *deployment, "--timeout=50s")
        ending = "jsonpath={.items[*].metadata.deletionTimestamp}"
        operator.wait_for("", "get", "pods", "--namespace=analytics", f"--output={ending}")

    try:
        let("DEFECT_READY_LIES=1")
        yield
    finally:
        let("DEFECT_READY_LIES-")


def test_a_health_check_that_stays_green_without_a_database_is_found(drilled, health_check_that_lies):
    del health_check_that_lies
    outcome = drilled(LOST, only="database_primary_lost")
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.health_check") == {"FAIL"}, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_loss_that_somebody_else_mends_proves_nothing(drilled):
    def start_again(saboteur):
        saboteur.after("injected", FAULT)
        saboteur.kubectl("scale", *STATEFUL_SET, "--replicas=1")

    outcome = drilled(LOST, only="database_primary_lost", sabotage=start_again)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_standby_that_does_not_stream_is_no_state_to_begin_with(drilled, tmp_path):
    link = Link(end("us-east-1"), end("us-west-2"))
    saboteur = Saboteur(tmp_path)
    link.take()
    try:
        saboteur.wait_for("0\n", *PSQL, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        outcome = drilled(SWITCH)
    finally:
        link.give_back({})
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert "us-west-2 does not stream from a primary in us-east-1" in outcome.output, str(outcome)


def test_a_channel_that_takes_no_message_is_found(drilled, tmp_path):
    wrong = tmp_path / "writers"
    wrong.write_text("http://10.77.0.5:8065/hooks/nobody-has-this-hook")
    wrong.chmod(0o600)

    def to_nobody(document):
        document["recovery"]["communication"]["channels"]["writers"] = f"file:{wrong}"

    outcome = drilled("told_before_a_planned_switch", only="communication", change=to_nobody)
    assert outcome.code == FAIL, str(outcome)
    assert outcome.verdict_of("recovery.told") == {"FAIL"}, str(outcome)
    assert put_back(outcome), str(outcome)
