"""The guard's part in faults: how far one may reach, just before it is made, and which of them are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.fault import CATALOGUE, OpenFault, too_far
from drillbook.domain.undo import Change, latest
from drillbook.run.folder import read_what_is_whole
from drillbook.run.guard import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.domain.fault import Fault, Reach


def check(environment: Environment, fault: Fault, reach: Reach, there: Iterable[OpenFault]) -> None:
    """Before a fault is made, by what it would really hit.

    Args:
        environment: Whose guard.
        fault: What is meant.
        reach: How far it would reach.
        there: Faults that are in the system already.

    Raises:
        Refused: When it would reach further than the guard allows, or another fault is there.
    """
    settings = environment.guard
    others = [found.fault.name for found in there]
    why = too_far(
        fault,
        reach,
        regions=settings.regions or environment.regions,
        namespaces=settings.namespaces,
        pods_share=settings.share_of(resilience=True),
    )
    if others:
        why = f"{', '.join(others)} is in the system already, and what two do together nobody has allowed"
    if why:
        raise Refused(f"{fault.name} is not made: {why}")


def there(journal: Path) -> list[OpenFault]:
    """The faults of a run that may be in the system, by its undo journal."""
    lines, _ = read_what_is_whole(journal)
    return faults_in(latest(Change.from_document(line) for line in lines))


def faults_in(changes: Iterable[Change]) -> list[OpenFault]:
    """Those of some changes that are faults, and open."""
    return [
        OpenFault(CATALOGUE[change.action], float(change.arguments["before"]["since_s"]))
        for change in changes
        if change.stage.open and change.action in CATALOGUE
    ]
