"""What is destroyed and comes back from a backup alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.domain.restored import RUNGS_OF_TABLE
from drillbook.drills import recovery as recovery_drill
from features.sentences import promised_anyway
from probes import put_back, recovery
from probes.integrity import events_duplicated

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


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


@when("both database servers are lost with their data, and one repository alone brings them back")
def _(drill: Drill) -> None:
    recovery_drill.lose_servers(drill)


@then(parsers.parse("at most the last {hours:g} h of what was acknowledged was lost with them"))
@promised_anyway
def _(drill: Drill, hours: float) -> None:
    limit_s = min(hours * 3600, drill.objectives.recovery_point_s)
    measured = recovery.age_of_lost_writes(drill.folder, recovery_drill.loss(drill))
    drill.check("recovery.point", f"at most {limit_s:g} s before the loss are lost", "at_most", limit_s, measured)


@then("nothing is missing that was acknowledged once the restored server took writes, and no event is there twice")
@promised_anyway
def _(drill: Drill) -> None:
    # What is there twice is so whether or not anything was restored.
    drill.check("data.duplicated", "no event is stored twice", "at_most", 0, events_duplicated(drill.folder))
    lost = recovery.writes_lost_after(drill.folder, recovery_drill.restored(drill))
    drill.check("recovery.lost_since_restore", "no event is lost that came after the restore", "at_most", 0, lost)
