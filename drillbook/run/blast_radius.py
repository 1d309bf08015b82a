"""What a run would change, told to whoever is about to begin it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.fault import CATALOGUE
from drillbook.domain.fault_settings import FaultSettings
from drillbook.run import planning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drillbook.domain.environment import Environment
    from drillbook.run.planning import Drill


def changed(environment: Environment, drill_list: Iterable[Drill] = ()) -> list[str]:
    """What a run of these drills would change, in sentences."""
    releases, route = environment.releases, environment.router
    region = environment.primary.name
    names = ", ".join(releases.release.format(slot=slot) for slot in route.backends)
    requests = 2 * environment.load.rate_hz
    drill_list = list(drill_list)
    tags = {tag for drill in drill_list for tag in drill.tags}
    features = {drill.feature for drill in drill_list}
    return [
        f"{region}: Helm releases {names} in namespace {releases.namespace}: one into the idle slot and out again",
        f"{region}: HTTPRoute {route.namespace}/{route.route}: the weights of its last rule are switched and put back",
        f"{region}: namespace {environment.own_namespace}: a Lease, and ConfigMaps with the undo of each open change",
        (
            f"{environment.public_url}: {requests:g} metered requests a second, {environment.load.analysts} analysts "
            f"and {environment.load.collectors} collectors; the events that they store stay"
        ),
        *([_updated(region)] if planning.UPDATE_IN_PLACE in features else ()),
        *(_recovered(environment) if planning.RECOVERY in tags else ()),
        *(_loaded(environment) if planning.PERFORMANCE in tags else ()),
        *(_migrated(environment) if {planning.MIGRATION, planning.BACKUP_BEFORE_RELEASE} & features else ()),
        *(_backed_up(environment) if planning.BACKUP_BEFORE_RELEASE in features else ()),
        *(_hit(environment, region) if planning.RESILIENCE in tags else ()),
    ]


def _updated(region: str) -> str:
    """What an update in place changes."""
    return (
        f"{region}: the release of the slot that has the public: updated in place by Helm, and rolled back; its "
        "history gets two revisions"
    )


def _recovered(environment: Environment) -> Iterator[str]:
    """What a recovery changes, which an environment that does not say how it is recovered cannot have."""
    if environment.recovery is not None:
        for name in environment.regions:
            yield (
                f"{name}: namespace {environment.recovery.namespace}: the database is ordered, stopped, started and "
                "promoted, and the public's name and the application's database are led there and back"
            )


def _migrated(environment: Environment) -> Iterator[str]:
    """What the proof of a migration changes, which an environment without one cannot have."""
    if environment.migrations is not None and (proof := environment.migrations.proof) is not None:
        yield (
            f"{proof.address}: as many rows as the feature says are added to {proof.table.name} and removed, its "
            f"schema goes to {proof.before}, to {proof.after} and back, and a transaction on it is kept open for some "
            "seconds"
        )


def _loaded(environment: Environment) -> Iterator[str]:
    """How much load it is given, which an environment that does not say how much it may have is not."""
    if (performance := environment.performance) is not None:
        yield (
            f"{environment.public_url}: up to {performance.most_hz:g} metered requests a second for up to "
            f"{performance.longest_s:.0f} s at a time, whose events stay too"
        )
        if (workers := performance.workers) is not None:
            yield f"{environment.primary.name}: namespace {workers.namespace}: Jobs that make load, and are deleted"


def _backed_up(environment: Environment) -> Iterator[str]:
    """What stays of a backup, which an environment without backups cannot have."""
    if (recovery := environment.recovery) is not None and recovery.backup_job:
        yield f"{recovery.namespace}: each repository gets a differential backup of {recovery.stanza}, which stays"


def _hit(environment: Environment, region: str) -> Iterator[str]:
    """What faults may hit, and where they have nothing to hit."""
    settings = environment.faults or FaultSettings()
    for fault in CATALOGUE.values():
        missing = [f"faults.{key}" for key in fault.needs if not getattr(settings, key)]
        told = "not made, for want of " + " and ".join(missing) if missing else f"for at most {fault.longest_s:g} s"
        yield f"{region}: {fault.sentence}: {told}"
