"""Try a release before the public gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Observation

if TYPE_CHECKING:
    from drillbook.ports import Clock, Smoke


@dataclass(frozen=True, slots=True)
class Validate:
    """Smoke checks through the gateway: right version, writes that are there again, right answers, healthy.

    It changes nothing but a few events under keys of its own, so there is nothing to undo.

    Attributes:
        smoke: Tries a slot.
        clock: The run's.
        slot: Which one.
        version: What has to answer.
        times: How often each check is made.
    """

    smoke: Smoke
    clock: Clock
    slot: str
    version: str
    times: int = 10

    def describe(self) -> str:
        """In words."""
        return f"validate release {self.version} in slot {self.slot} before it takes traffic"

    def observe(self) -> Observation:
        """Make the checks."""
        report = self.smoke.run(self.slot, times=self.times)
        problems = list(report.problems)
        if report.versions != (self.version,):
            seen = ", ".join(report.versions) or "no version"
            problems.insert(0, f"{seen} answered where release {self.version} was expected")
        data = {
            "tried": report.tried,
            "writes": report.writes,
            "problems": problems,
            "versions": list(report.versions),
            "wrong": report.wrong,
        }
        if problems:
            text = f"{len(problems)} of {report.tried} checks failed: {problems[0]}"
            return Observation(False, text, self.clock.now(), data)
        return Observation(True, f"all {report.tried} checks passed", self.clock.now(), data)
