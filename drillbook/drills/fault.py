"""What a scenario about a fault does: the experiment that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.drills import release as release_drill
from drillbook.drills.seen import NotOffered

if TYPE_CHECKING:
    from drillbook.domain.fault import Fault
    from drillbook.drills.drill import Drill


def undergo(drill: Drill, fault: Fault, release: str = "") -> None:
    """A fault, in steady state or while a release is cut over.

    Raises:
        NotOffered: When the environment does not say what it may hit, or under which account.
    """
    environment, offered = drill.platform.environment, drill.platform.faults
    name, account = environment.name, f"regions.{environment.primary.name}.resilience_kubeconfig"
    missing = offered.lacks(fault.name) if offered is not None else "faults" if not environment.faults else account
    if missing:
        raise NotOffered(f"not proved here: {fault.sentence} needs {missing}, which the environment {name} lacks")
    if not release:
        drill.run_experiment("resilience/steady", fault=fault.name)
        return
    drill.release = drill.platform.version_of(release)
    drill.run_experiment(
        "resilience/cutover", deadline_s=release_drill.within_s(drill), fault=fault.name, release=release
    )
