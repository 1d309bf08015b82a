"""Layers of the platform, and which of them kept users waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then

from drillbook.domain.traffic import Connection
from drillbook.drills import layer
from probes import layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.drills.drill import Drill


@given("every layer is probed by itself, at the same moments")
def _(drill: Drill) -> None:
    layer.probe(drill)


@then(parsers.parse("of the time without writes after the loss at most {limit_s:g} s is explained by no layer"))
def _(drill: Drill, limit_s: float) -> None:
    _explained(drill, dict.fromkeys(Connection, limit_s))


@then(
    parsers.parse(
        "of the time without writes after the loss at most {limit_s:g} s is explained by no layer, beside the "
        "{held_s:g} s for which users hold a connection"
    )
)
def _(drill: Drill, limit_s: float, held_s: float) -> None:
    _explained(drill, {Connection.NEW: limit_s, Connection.REUSED: limit_s + held_s})


def _explained(drill: Drill, limits_s: Mapping[Connection, float]) -> None:
    for connection, limit_s in limits_s.items():
        found = layers.attributed(drill.folder, layer.after_the_loss(drill), connection)
        layer.tell(drill, found, connection)
        measured = layers.unexplained(found, connection)
        statement = f"some layer's probe explains all but {limit_s:g} s without writes on {connection} connections"
        drill.check(f"recovery.unexplained.{connection}", statement, "at_most", limit_s, measured)


@then(
    parsers.parse(
        "at least {percent:g} % of the time without writes after the loss that a layer explains "
        "is put down to the {kind}"
    )
)
def _(drill: Drill, percent: float, kind: str) -> None:
    for connection in Connection:
        found = layers.attributed(drill.folder, layer.after_the_loss(drill), connection)
        measured = layers.share_of(found, kind, connection)
        statement = (
            f"at least {percent:g} % of the explained time without writes on {connection} connections is put down to "
            f"the {kind}"
        )
        drill.check(f"recovery.layer.{connection}", statement, "at_least", percent / 100, measured)


@then(parsers.parse("the health check was good for at most {limit_s:g} s while the database took no writes"))
def _(drill: Drill, limit_s: float) -> None:
    home = drill.platform.environment.primary.name
    measured = layers.well_without_database(drill.folder, layer.after_the_loss(drill), home)
    statement = f"the health check of {home} is good for at most {limit_s:g} s while the database takes no writes"
    drill.check("recovery.health_check", statement, "at_most", limit_s, measured)
