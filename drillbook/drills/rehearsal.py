"""A drill of which nothing is made: it has the ports that the environment's file names, and none of them answers.

Its sentences then come as far as their first question to the platform. What one lacks before that, the file lacks, and
a run would find it likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.drills.drill import Drill
from drillbook.drills.inspection import Inspection
from drillbook.platform import Platform
from drillbook.wiring import fault, migration, recovery, state

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment


class Asked(Exception):
    """The sentence goes on to the platform: it has all that it needs of the file."""


def drill(environment: Environment) -> Drill:
    """A drill in an environment that nobody is connected to."""
    nobody: Any = _Nobody()
    return _Rehearsed(
        session=nobody,
        platform=_platform(environment, nobody),
        id="",
        feature="",
        scenario="",
        description="",
        tags=(),
        timeline=nobody,
        journal=nobody,
        started_s=0.0,
    )


def inspection(environment: Environment) -> Inspection:
    """The same of a scenario about files, which are not read."""
    nobody: Any = _Nobody()
    return Inspection(
        session=nobody,
        environment=environment,
        id="",
        feature="",
        scenario="",
        description="",
        tags=(),
        timeline=nobody,
        started_s=0.0,
    )


def _platform(environment: Environment, nobody: Any) -> Platform:
    """Its ports, by the wiring's own rules of what is there in which environment."""
    clock = _Stopped()
    nobodies: dict[str, Any] = dict.fromkeys(environment.regions, nobody)
    return Platform(
        environment=environment,
        clock=clock,
        router=nobody,
        releaser=nobody,
        cluster=nobody,
        metrics=nobody,
        series=wiring.series_of(environment),
        client=nobody,
        store=nobody,
        left=nobody,
        lock=nobody,
        workload=nobody,
        smoke=nobody,
        recovery=recovery.recovery(environment, nobodies, nobody, clock),
        faults=fault.faults(environment, clock, nobody),
        migration=migration.migrated(environment, clock),
        state=state.state(environment, clock),
        workers=wiring.workers(environment, nobody, clock),
    )


class _Rehearsed(Drill):
    def __post_init__(self) -> None:
        nobody: Any = _Nobody()
        self.seen = nobody


class _Stopped:
    """A clock that does not run."""

    def now(self) -> float:
        """See `Clock`."""
        raise Asked("the time")

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        raise Asked(f"for {seconds:g} s")


class _Nobody:
    """A port that is not there, or a folder that is not made."""

    def __getattr__(self, name: str) -> Any:
        raise Asked(name)

    def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        raise Asked("something")
