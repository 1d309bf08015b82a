"""What is destroyed and comes back from a backup alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook import recovery_drill
from drillbook.domain.restored import RUNGS_OF_TABLE
from probes import put_back

if TYPE_CHECKING:
    from drillbook.drill import Drill


@when("a migration drops a table of the platform, and it is restored to just before that and put back")
def _(drill: Drill) -> None:
    recovery_drill.destroy_table(drill)


@then("the backup alone brought the table back, row for row, and it was put back so")
def _(drill: Drill) -> None:
    for name, statement in RUNGS_OF_TABLE.items():
        measured = put_back.rung(drill.folder, name, recovery_drill.loss(drill))
        drill.check(f"put_back.{name}", statement, "at_most", 0, measured)


@then(parsers.parse("of what was acknowledged the backup alone lacked at most the last {hours:g} h"))
def _(drill: Drill, hours: float) -> None:
    limit_s = min(hours * 3600, drill.objectives.recovery_point_s)
    measured = put_back.age_of_lost_writes(drill.folder, recovery_drill.loss(drill))
    drill.check("put_back.point", f"at most {limit_s:g} s before the loss are lost", "at_most", limit_s, measured)
