"""Lead the public to another region, and see that what it writes there is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Client, Clock, PublicName, Smoke


@dataclass(frozen=True, slots=True)
class MoveTraffic:
    """Prefer a region in the public's name; in effect once a user's resolver gives nothing but its addresses.

    Attributes:
        public: The name.
        client: A user, who sees where the answers come from.
        clock: The run's.
        region: Where to.
        path: What the user asks for to see who answers.
        in_a_row: Answers in a row, each on a connection of its own, that have to come from the region.
        deadline_s: Longer than the name's time to live: resolvers keep what they were told.
    """

    public: PublicName
    client: Client
    clock: Clock
    region: str
    path: str
    in_a_row: int = 10
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "move-traffic"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"region": self.region}

    @property
    def touches(self) -> tuple[str, ...]:
        """The name, and what it may lead to."""
        return ("name", *(f"application/{region}" for region in sorted(self.public.order())))

    def describe(self) -> str:
        """In words."""
        return f"lead the public's name to {self.region}"

    def capture(self) -> Mapping[str, Any]:
        """The order now."""
        return {"order": list(self.public.order())}

    def do(self) -> None:
        """Declare the new order."""
        self.public.prefer(self._wanted(self.public.order()))

    def observe(self) -> Observation:
        """What a resolver says, and who answers."""
        return self._leads_to(self.region)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Declare the order of before.

        Raises:
            Conflict: When the order is neither that of before nor that of the change.
        """
        former, now = tuple(before["order"]), self.public.order()
        if now not in {former, self._wanted(former)}:
            raise Conflict(
                f"the public's name prefers {', '.join(now)}, which is neither what it did ({', '.join(former)}) nor "
                "what this change made of it: somebody else has changed it since, so it is left; set it by hand"
            )
        if now != former:
            self.public.prefer(former)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the name prefers what it did.

        Users may be led there only later: the region's database is put back after this, and until it is well the name
        goes on leading elsewhere.
        """
        order = self.public.order()
        text = f"the public's name prefers {', '.join(order)}"
        return Observation(order == tuple(before["order"]), text, self.clock.now(), {"order": list(order)})

    def _wanted(self, order: tuple[str, ...]) -> tuple[str, ...]:
        return (self.region, *(region for region in order if region != self.region))

    def _leads_to(self, region: str) -> Observation:
        resolved = self.public.resolved()
        if resolved != frozenset({region}):
            text = f"the public's name leads to {', '.join(sorted(resolved)) or 'nowhere'}"
            return Observation(False, text, self.clock.now(), {"resolved": sorted(resolved)})
        first_s = self.clock.now()
        for _ in range(self.in_a_row):
            found = self.client.origin(self.client.get(self.path)).region
            if found != region:
                text = f"{found or '(unnamed)'} still answers where {region} should"
                return Observation(False, text, self.clock.now(), {"answered": found})
        text = f"{self.in_a_row} new connections in a row to the public's name were answered by {region}"
        return Observation(True, text, first_s, {"answered": region, "seen_s": self.clock.now()})


@dataclass(frozen=True, slots=True)
class VerifyWrites:
    """Smoke checks at the public's name: writes that are there again, answered by the right region.

    It changes nothing but a few events under keys of its own, so there is nothing to undo.

    Attributes:
        smoke: Tries the slot that serves.
        client: A user, who sees where the answers come from.
        clock: The run's.
        region: That has to answer.
        slot: That serves there.
        path: What is asked for to see who answers.
        times: How often each check is made.
        deadline_s: For all of them to pass.
    """

    smoke: Smoke
    client: Client
    clock: Clock
    region: str
    slot: str
    path: str
    times: int = 5
    deadline_s: float = 60.0

    def describe(self) -> str:
        """In words."""
        return f"verify that writes to the public's name are kept in {self.region}"

    def observe(self) -> Observation:
        """Make the checks."""
        region = self.client.origin(self.client.get(self.path)).region
        report = self.smoke.run(self.slot, times=self.times)
        problems = list(report.problems)
        if region != self.region:
            problems.insert(0, f"{region or '(unnamed)'} answered where {self.region} should")
        if not report.writes:
            problems.append("no write was answered")
        data = {"tried": report.tried, "writes": report.writes, "problems": problems}
        text = (
            f"{len(problems)} problems in {report.tried} checks: {problems[0]}" if problems
            else f"all {report.tried} checks passed in {region}, {report.writes} of them writes that were read again"
        )  # fmt: skip
        return Observation(not problems, text, self.clock.now(), data)
