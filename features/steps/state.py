"""Files and secrets: what both regions have beside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.drills import state as state_drill
from probes import state

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when("a file and a secret are written and changed in the primary region, and all of them are compared")
def _(drill: Drill) -> None:
    state_drill.mark_and_compare(drill)


@then(
    parsers.re(r"a (?P<kind>file|secret) that is written or changed is so in the other region within (?P<s>[0-9]+) s")
)
def _(drill: Drill, kind: state.Kind, s: str) -> None:
    limit_s = float(s)
    measured = state.arrival(drill.seen.events, kind)
    statement = f"a {kind} that is written or changed is so in the other region within {limit_s:g} s"
    drill.check(f"state.{kind}.arrival", statement, "at_most", limit_s, measured)


@then(parsers.re(r"every (?P<kind>file|secret) of the primary region is in the other one, unchanged.*"))
def _(drill: Drill, kind: state.Kind) -> None:
    seen = state.compared(drill.folder, kind)
    statement = f"every {kind} is in the other region, unchanged{state.told(state.names_differing(seen))}"
    drill.check(f"state.{kind}.same", statement, "at_most", 0, state.differing(seen, kind))


@then(parsers.re(r"no (?P<kind>file|secret) is in the other region that the primary one has not"))
def _(drill: Drill, kind: state.Kind) -> None:
    seen = state.compared(drill.folder, kind)
    statement = f"no {kind} is left in the other region{state.told(state.names_left_over(seen))}"
    drill.check(f"state.{kind}.left_over", statement, "at_most", 0, state.left_over(seen, kind))
