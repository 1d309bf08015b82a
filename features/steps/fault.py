"""Faults, and what users had of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.domain.fault import BY_SENTENCE
from drillbook.domain.traffic import Connection
from drillbook.drills import fault as fault_drill
from probes import faults
from probes.availability import availability
from probes.downtime import recovery

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill

_SENTENCES = "|".join(re.escape(sentence) for sentence in BY_SENTENCE)


@when(parsers.re(rf"(?P<sentence>{_SENTENCES}) in steady state"))
def _(drill: Drill, sentence: str) -> None:
    fault_drill.undergo(drill, BY_SENTENCE[sentence])


@when(parsers.re(rf"(?P<sentence>{_SENTENCES}) while release (?P<version>\d\S*) is cut over"))
def _(drill: Drill, sentence: str, version: str) -> None:
    fault_drill.undergo(drill, BY_SENTENCE[sentence], version)


@then(parsers.parse("the fault bit, and was undone within {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    bites = faults.bites(drill.seen.events, drill.seen.window)
    drill.check("fault.bit", "the fault took effect", "at_least", 1, bites)
    life = faults.lifetime(drill.seen.events, drill.seen.window)
    drill.check("fault.life", f"the fault is undone within {limit_s:g} s", "at_most", limit_s, life)


@then(parsers.parse("{percent:g} % of requests were answered well while it lasted"))
def _(drill: Drill, percent: float) -> None:
    for connection in Connection:
        measured = availability(drill.folder, drill.seen.while_fault, connection)
        statement = f"{percent:g} % of requests on {connection} connections are answered well during the fault"
        drill.check(f"fault.availability.{connection}", statement, "at_least", percent / 100, measured)


@then(parsers.parse("users had good service again within {limit_s:g} s of the fault"))
def _(drill: Drill, limit_s: float) -> None:
    for connection in Connection:
        measured = recovery(drill.folder, drill.seen.since_fault, connection)
        statement = f"good service on {connection} connections within {limit_s:g} s of the fault"
        drill.check(f"fault.recovery.{connection}", statement, "at_most", limit_s, measured)
